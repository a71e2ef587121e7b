// Oracles: hand values, and the uninterrupted run (resume).
#include <cmath>
#include <numeric>

#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/io/json_config.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/problem_picker.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::equal;
using testing::metric_lines;
using testing::registry;
using testing::tiny_config;
using testing::weights;

/// 0, 1, 2, … again and again, from the `taken`th on.
DataOrder in_order(int64_t items, int64_t taken = 0) {
  DataOrder order(items, false, 0);
  order.restore(taken);
  return order;
}

/// A picker's state into another one.
void copy_state(ProblemPicker& from, ProblemPicker& to) {
  const std::string text = write_described([&](ConfigVisitor& v) { from.describe_state(v); });
  ConfigSource source;
  source.add_text(text, "state");
  read_described(source, [&](ConfigVisitor& v) { to.describe_state(v); });
}

TEST(ProblemPicker, ReplaysHardProblemsTheLongestWaitingFirst) {
  AlgorithmSection config;
  config.replay_fraction = 0.5;
  config.replay_max_pass_rate = 0.25;
  ProblemPicker picker(config, 8);
  DataOrder data = in_order(8);
  EXPECT_EQ(picker.pick(4, data), (std::vector<int64_t>{0, 1, 2, 3}));
  for (const auto& [item, rate] : {std::pair{0, 1.0}, {1, 0.25}, {2, 0.5}, {3, 0.0}}) picker.note(item, rate);
  picker.note(3, 0.0);  // waits already
  picker.note(0, std::nan(""));
  ProblemPicker again(config, 8);
  copy_state(picker, again);
  EXPECT_EQ(picker.pick(2, data), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(picker.pick(4, data), (std::vector<int64_t>{3, 5, 6, 7}));
  DataOrder other = in_order(8, 4);
  EXPECT_EQ(again.pick(4, other), (std::vector<int64_t>{1, 3, 4, 5}));
}

TEST(ProblemPicker, RollsBackToTheMark) {
  AlgorithmSection config;
  config.replay_fraction = 0.5;
  config.replay_max_pass_rate = 0.25;
  config.curriculum_max_pass_rate = 0.6;
  ProblemPicker picker(config, 4);
  picker.note(0, 0.5);
  picker.note(3, 0.0);
  picker.mark();
  DataOrder data = in_order(4);
  EXPECT_EQ(picker.pick(2, data), (std::vector<int64_t>{3, 0}));
  picker.note(0, 0.7);
  picker.note(0, 1.0);
  picker.note(1, 0.1);
  picker.roll_back();
  data.restore(0);
  EXPECT_EQ(picker.pick(2, data), (std::vector<int64_t>{3, 0}));  // hard again, and not yet solved
  EXPECT_EQ(picker.pick(2, data), (std::vector<int64_t>{1, 2}));  // 1 was never noted
}

TEST(ProblemPicker, RefusesTheStateOfOtherData) {
  AlgorithmSection config;
  config.replay_fraction = 0.5;
  config.replay_max_pass_rate = 0.5;
  ProblemPicker picker(config, 8);
  picker.note(7, 0.0);
  for (const int64_t problems : {4, 7, 9}) {
    ProblemPicker other(config, problems);
    EXPECT_THROW(copy_state(picker, other), Error) << problems;
  }
}

TEST(ProblemPicker, PassesOverWhatIsSolvedButNotForEver) {
  AlgorithmSection config;
  config.curriculum_max_pass_rate = 0.9;
  ProblemPicker picker(config, 4);
  picker.note(0, 1.0);
  picker.note(2, 0.9);
  DataOrder data = in_order(4);
  EXPECT_EQ(picker.pick(3, data), (std::vector<int64_t>{1, 2, 3}));
  for (int64_t item = 0; item < 4; ++item) picker.note(item, 1.0);
  EXPECT_EQ(picker.pick(2, data).size(), 2U);
}

TEST(SamplingControl, ResumesBitForBit) {
  Config c = tiny_config("sampling-control");
  c.data.train.count = 6;
  c.algorithm.replay_fraction = 0.5;
  c.algorithm.replay_max_pass_rate = 1.0;
  c.algorithm.curriculum_max_pass_rate = 0.2;
  c.rollout.final_temperature = 0.5;
  c.trainer.save_steps = 2;
  std::vector<at::Tensor> expected;
  {
    PolicyTrainer trainer(c, {}, registry());
    ASSERT_TRUE(trainer.train());
    expected = weights(trainer.model());
  }
  const auto lines = metric_lines(c);
  EXPECT_EQ(lines.front().at("temperature"), 1.0);
  EXPECT_EQ(lines.back().at("temperature"), 0.5);
  testing::expect_resumes(c, expected, lines);
}

// At a temperature that moves, sampler and trainer still mean the same distribution.
TEST(SamplingControl, TheTrainerFollowsTheTemperature) {
  Config c = tiny_config("temperature");
  c.rollout.final_temperature = 0.25;
  PolicyTrainer trainer(c, {}, registry());
  while (const auto report = trainer.step()) EXPECT_LT(report->metrics.at("sampling/sampling_logp_difference/max"), 2e-4);
}

TEST(SamplingControl, GroupsOutsideTheAccuracyRangeAreDropped) {
  Config c = tiny_config("accuracy-range");
  c.reward = {{.name = "by_sample", .function = {}, .weight = 1.0, .options = {}}};
  Registry r = registry();
  r.add_reward("by_sample", [](const Completion& completion) { return completion.sample == 0 ? 1.0 : 0.0; });  // a quarter is right
  c.algorithm.dynamic_sampling = true;
  for (const auto& [low, high, kept] : {std::tuple{0.2, 0.8, true}, {0.3, 1.0, false}, {0.0, 0.2, false}, {0.25, 0.25, true}}) {
    c.algorithm.accuracy_lower_bound = low;
    c.algorithm.accuracy_upper_bound = high;
    const auto metrics = PolicyTrainer(c, {}, r).step()->metrics;
    EXPECT_EQ(metrics.at("tokens/dropped") == 0.0, kept) << low << " " << high;
  }
  c.algorithm.dynamic_sampling = false;
  EXPECT_THROW(validate(c, Command::kTrain), Error);
}

}  // namespace
}  // namespace grpo
