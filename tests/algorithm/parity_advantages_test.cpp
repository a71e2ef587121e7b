#include <ATen/ATen.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "grpo/algorithm/advantages.h"
#include "parity.h"
#include "samples.h"

namespace {

using grpo::testing::near;
using grpo::testing::number;
using grpo::testing::trl_files;
using nlohmann::json;

TEST(ParityFormats, EveryFixtureHasATest) {
  GRPO_REQUIRE_DATA(grpo::testing::trl_dir());
  for (const auto& entry : std::filesystem::directory_iterator(grpo::testing::trl_dir())) {
    if (entry.path().extension() != ".json") continue;
    const std::string format = grpo::testing::read_json(entry.path()).at("format");
    EXPECT_TRUE(std::ranges::any_of(grpo::testing::kHandledFormats, [&](const auto& known) { return known.first == format; }))
        << entry.path().filename() << " has format " << format;
  }
}

TEST(FixtureConfig, FailsNamingEveryKeyThatNobodyTook) {
  const json options = {{"beta", 0.1}, {"num_iterations", 2}, {"lr_scheduler_type", "cosine"}, {"epsilon", nullptr}};
  const auto read = [&options](bool everything) {
    const grpo::testing::FixtureConfig config(options, "grpo-loss");  // num_iterations is harmless there
    EXPECT_EQ(config.take("beta"), 0.1);
    EXPECT_EQ(config.take_or("absent", 3), 3);
    EXPECT_EQ(config.take_or("epsilon", 0.2), 0.2);
    if (everything) config.take("lr_scheduler_type");
  };
  read(true);
  EXPECT_NONFATAL_FAILURE(read(false), "does not read: lr_scheduler_type = \"cosine\"");
  EXPECT_THROW(grpo::testing::FixtureConfig(options, "grpo-loss").take("delta"), std::runtime_error);
}

/// Whether TRL's float32 mean of a group of equal rewards left a residue: there its advantages, exactly 0 here, are up to 1e-3.
bool has_rounding_residue(const std::vector<std::vector<double>>& rewards, const std::vector<double>& expected, size_t group_size) {
  for (size_t begin = 0; begin < rewards.size(); begin += group_size) {
    bool equal = true, residue = false;
    for (size_t row = begin; row < begin + group_size; ++row) {
      equal = equal && rewards[row] == rewards[begin];
      residue = residue || std::abs(expected[row]) > 1e-5;
    }
    if (equal && residue) return true;
  }
  return false;
}

void check_case(const json& test) {
  const auto rewards = grpo::testing::table(test.at("rewards_per_func"));
  const grpo::testing::FixtureConfig options(test.at("config"), "grpo-advantages");
  const auto group_size = options.take<size_t>("num_generations");
  const auto config = grpo::testing::advantage_config(options);
  std::vector<double> flat, expected;
  std::vector<int64_t> groups;
  for (const auto& row : rewards) {
    groups.push_back(static_cast<int64_t>(groups.size() / group_size));
    flat.insert(flat.end(), row.begin(), row.end());
  }
  for (const auto& value : test.at("expected").at("advantages")) expected.push_back(number(value));
  const at::Tensor table = at::tensor(flat, at::kDouble).reshape({static_cast<int64_t>(rewards.size()), -1});

  const bool residue = has_rounding_residue(rewards, expected, group_size);
  const auto advantages = grpo::testing::values(grpo::group_advantages(table, groups, config));
  for (size_t row = 0; row < expected.size(); ++row) EXPECT_NEAR(advantages[row], expected[row], residue ? 1e-3 : 1e-4) << "row " << row;

  const auto statistics = grpo::reward_statistics(table, groups, config);
  std::map<std::string, double> metrics{
      {"reward", statistics.reward}, {"reward_std", statistics.reward_std}, {"frac_reward_zero_std", statistics.frac_reward_zero_std}};
  for (size_t f = 0; f < statistics.function_mean.size(); ++f) {
    metrics["rewards/reward" + std::to_string(f) + "/mean"] = statistics.function_mean[f];
    metrics["rewards/reward" + std::to_string(f) + "/std"] = statistics.function_std[f];
  }
  for (const auto& [name, value] : test.at("expected").at("metrics").items()) {
    if (name == "frac_reward_zero_std" && residue) continue;  // TRL misses the groups with a residue
    ASSERT_TRUE(metrics.contains(name)) << name;
    EXPECT_TRUE(near(metrics[name], number(value), 1e-5)) << name << " " << metrics[name] << " expected " << value;
  }
}

// Oracle: TRL 1.16's own numbers.
TEST(ParityTrlAdvantages, EveryCase) {
  GRPO_REQUIRE_DATA(grpo::testing::trl_dir());
  int cases = 0;
  for (const auto& [file, content] : trl_files("grpo-advantages")) {
    for (const auto& test : content.at("cases")) {
      SCOPED_TRACE(file + ": " + test.at("name").get<std::string>());
      check_case(test);
      ++cases;
    }
  }
  EXPECT_GT(cases, 0);
}

}  // namespace
