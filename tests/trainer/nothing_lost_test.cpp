// Whatever ends a run, a checkpoint of the last good state stands. Oracle: the run that nothing disturbed.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <limits>
#include <numeric>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

enum class Mishap { kNone, kThrow, kSignal };
Mishap mishap = Mishap::kNone;  // what the reward does when it is asked next

Registry fragile_registry() {
  auto r = testing::registry();
  r.add_reward("fragile", [](const Completion& c) {
    const Mishap now = std::exchange(mishap, Mishap::kNone);
    if (now == Mishap::kThrow) fail("fragile", "broken");
    if (now == Mishap::kSignal) std::raise(SIGTERM);
    return static_cast<double>(std::accumulate(c.ids.begin(), c.ids.end(), 0) % 5);
  });
  return r;
}

Config fragile_config(const std::string& name) {
  Config c = testing::tiny_config(name);
  c.reward = {{.name = "fragile", .function = {}, .weight = 1.0, .options = {}}};
  c.eval.data = c.data.train;
  c.eval.data.split = "test";
  c.eval.data.count = 4;
  c.eval.data.seed = 6;
  c.eval.eval_steps = 2;
  c.eval.at_start = false;
  c.eval.at_end = true;
  return c;
}

std::vector<nlohmann::json> lines_of(const Config& c) {
  auto lines = testing::metric_lines(c);
  for (auto& line : lines) line.erase("eval_seconds");
  return lines;
}

struct MishapCase {
  std::string name;
  Mishap mishap;
  int64_t after_step;  // when the reward begins to be fragile
  int64_t eval_steps;
};

void PrintTo(const MishapCase& given, std::ostream* out) { *out << given.name; }

class NothingLost : public ::testing::TestWithParam<MishapCase> {};

TEST_P(NothingLost, TheRunGoesOnAsIfUndisturbed) {
  const MishapCase& given = GetParam();
  Config whole = fragile_config("whole-" + given.name), cut = fragile_config("cut-" + given.name);
  whole.eval.eval_steps = cut.eval.eval_steps = given.eval_steps;
  std::vector<at::Tensor> expected;
  {
    PolicyTrainer trainer(whole, {}, fragile_registry());
    ASSERT_TRUE(trainer.train());
    expected = testing::weights(trainer.model());
  }
  {
    PolicyTrainer trainer(cut, {}, fragile_registry());
    trainer.on_step([&](const TrainReport& report) {
      if (report.step == given.after_step) mishap = given.mishap;
    });
    if (given.mishap == Mishap::kThrow) {
      EXPECT_THROW(trainer.train(), Error);
    } else {
      EXPECT_FALSE(trainer.train());
    }
  }
  EXPECT_TRUE(fs::exists(fs::path(cut.trainer.output_dir) / ("checkpoint-" + std::to_string(given.after_step))));
  PolicyTrainer trainer(cut, {}, fragile_registry());
  ASSERT_TRUE(trainer.resume());
  EXPECT_EQ(trainer.steps_done(), given.after_step);
  ASSERT_TRUE(trainer.train());
  EXPECT_TRUE(testing::equal(testing::weights(trainer.model()), expected));
  EXPECT_EQ(lines_of(cut), lines_of(whole));
}

INSTANTIATE_TEST_SUITE_P(Mishaps, NothingLost,
                         ::testing::Values(MishapCase{"evaluation_throws", Mishap::kThrow, 2, 2},
                                           MishapCase{"evaluation_is_interrupted", Mishap::kSignal, 2, 2},
                                           MishapCase{"step_throws", Mishap::kThrow, 3, 0}),
                         [](const auto& test) { return test.param.name; });

TEST(NothingLost, AFailingLastEvaluationCostsNoModel) {
  Config c = fragile_config("last-evaluation");
  PolicyTrainer trainer(c, {}, fragile_registry());
  trainer.on_step([&](const TrainReport& report) {
    if (report.step == c.trainer.max_steps) mishap = Mishap::kThrow;
  });
  EXPECT_THROW(trainer.train(), Error);
  EXPECT_TRUE(fs::exists(fs::path(c.trainer.output_dir) / "model" / "model.safetensors"));
  EXPECT_TRUE(fs::exists(fs::path(c.trainer.output_dir) / ("checkpoint-" + std::to_string(c.trainer.max_steps))));
}

TEST(NothingLost, WeightsThatAreNotFiniteAreNeverSaved) {
  Config c = testing::tiny_config("not-finite");
  PolicyTrainer trainer(c, {}, testing::registry());
  trainer.on_step([&](const TrainReport& report) {
    if (report.step == c.trainer.max_steps) at::Tensor(trainer.model().parameters()[1]->flat())[3] = std::numeric_limits<float>::infinity();
  });
  EXPECT_THROW(trainer.train(), Error);
  EXPECT_FALSE(fs::exists(fs::path(c.trainer.output_dir) / "model"));
  EXPECT_FALSE(fs::exists(fs::path(c.trainer.output_dir) / ("checkpoint-" + std::to_string(c.trainer.max_steps))));
}

}  // namespace
}  // namespace grpo
