// What a run tells of its verdicts. Oracles: what the reward itself has counted; what stands in the data.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "grpo/core/log.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

using testing::tiny_config;

std::map<std::string, double> given_kinds;  // by the reward below

/// Right where the first id is even; a near miss of one of three kinds otherwise.
Score judged(const Completion& c) {
  const int32_t id = c.ids.front();
  Score score(id % 2 == 0 ? 1.0 : 0.0, "a reason", id % 2 == 0 ? kRight : id % 3 == 0 ? "a third" : "odd");
  score.gold = "(1, 2)";
  score.given = "1, 2" + std::string(static_cast<size_t>(id % 3), '!');
  ++given_kinds[score.kind];
  return score;
}

Registry with_judge() {
  Registry r = testing::registry();
  r.add_reward("judge", [](const Completion& c) { return judged(c); });
  return r;
}

Config judged_config(const std::string& name) {
  Config c = tiny_config(name);
  c.reward = {{.name = "judge", .function = {}, .weight = 1.0, .options = {}}};
  return c;
}

/// The figures rewards/judge/verdicts/<kind>, summed over the lines.
std::map<std::string, double> logged_kinds(const Config& c) {
  const std::string prefix = "rewards/judge/verdicts/";
  std::map<std::string, double> kinds;
  for (const auto& line : testing::metric_lines(c)) {
    for (const auto& [name, value] : line.items()) {
      if (name.starts_with(prefix)) kinds[name.substr(prefix.size())] += value.get<double>();
    }
  }
  return kinds;
}

// Whether a line stands for one step or for three, and whatever is dropped: dynamic sampling counts all that was sampled.
TEST(VerdictLog, CountsEveryVerdictOnce) {
  for (const int64_t logging_steps : {1, 3}) {
    for (const bool dynamic : {false, true}) {
      given_kinds.clear();
      Config c = judged_config("kinds");
      c.trainer.logging_steps = logging_steps;
      c.algorithm.dynamic_sampling = dynamic;
      PolicyTrainer trainer(c, {}, with_judge());
      ASSERT_TRUE(trainer.train());
      EXPECT_EQ(logged_kinds(c), given_kinds) << logging_steps << dynamic;
      EXPECT_GE(given_kinds.size(), 2U);
      double rejected = 0, missed = 0;
      for (const auto& [kind, count] : given_kinds) rejected += kind == kRight ? 0 : count;
      const auto verdicts = testing::verdicts_of(c);
      for (const auto& miss : verdicts.at("near_misses")) missed += miss.at("count").get<double>();
      EXPECT_EQ(missed, rejected);
    }
  }
}

// Before a resumed run makes a step, verdicts of lost steps are gone.
TEST(VerdictLog, IsCutBackToTheCheckpoint) {
  Config c = judged_config("cut-back");
  c.trainer.save_steps = 2;
  {
    PolicyTrainer trainer(c, {}, with_judge());
    ASSERT_TRUE(trainer.train());
  }
  const auto last_step = [&c] {
    int64_t last = 0;
    const auto verdicts = testing::verdicts_of(c);
    for (const auto& miss : verdicts.at("near_misses")) last = std::max(last, miss.at("last_step").get<int64_t>());
    return last;
  };
  EXPECT_EQ(last_step(), 4);
  testing::fs::remove_all(testing::fs::path(c.trainer.output_dir) / "checkpoint-4");
  PolicyTrainer again(c, {}, with_judge());
  ASSERT_TRUE(again.resume());
  EXPECT_EQ(last_step(), 2);
}

TEST(VerdictLog, TellsAtTheStartWhichGoldsCannotBeRead) {
  const auto path = testing::fs::path(::testing::TempDir()) / "unreadable-golds.jsonl";
  {
    std::ofstream file(path);
    for (int i = 0; i < 6; ++i)
      file << R"({"question": "q)" << i << R"(", "numbers": )" << (i % 3 == 1 ? R"("1 and 2")" : "[1, 2]") << R"(, "target": 3})" << '\n';
  }
  Config c = tiny_config("unreadable");
  c.data.train = {.path = path.string(), .fields = {}, .task = {}, .options = {}, .split = "train", .count = 0};
  c.reward = {{.name = "sums", .function = "countdown", .weight = 1.0, .options = {}}};
  std::string said;
  set_log_sink([&said](LogLevel, const std::string& line) { said += line + "\n"; });
  PolicyTrainer trainer(c, {}, testing::registry());
  set_log_sink({});
  EXPECT_NE(
      said.find(
          "data.train: reward sums can give no verdict on 2 of 6 problems, such as 1 ('3'): no short list of integers as the numbers"),
      std::string::npos)
      << said;
  ASSERT_TRUE(trainer.step().has_value());
  ASSERT_TRUE(trainer.train());
  const auto golds = testing::verdicts_of(c).at("unreadable_golds");
  ASSERT_EQ(golds.size(), 1U);
  EXPECT_EQ(golds[0].at("unreadable"), 2);
  EXPECT_EQ(golds[0].at("examples").at(1).at("problem"), 4);
  double unreadable = 0;
  for (const auto& line : testing::metric_lines(c)) unreadable += line.value("rewards/sums/verdicts/unreadable gold", 0.0);
  EXPECT_GT(unreadable, 0.0);
}

}  // namespace
}  // namespace grpo
