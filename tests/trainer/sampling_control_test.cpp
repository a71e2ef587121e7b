// Oracles: hand values, and the uninterrupted run (resume).
#include <cmath>
#include <numeric>

#include "grpo/core/error.h"
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

/// 0, 1, 2, … again and again.
struct Data {
  int64_t size, next = 0;
  int64_t operator()() { return next++ % size; }
};

TEST(ProblemPicker, ReplaysHardProblemsTheLongestWaitingFirst) {
  AlgorithmSection config;
  config.replay_fraction = 0.5;
  config.replay_max_pass_rate = 0.25;
  ProblemPicker picker(config, 8);
  Data data{8};
  EXPECT_EQ(picker.pick(4, std::ref(data)), (std::vector<int64_t>{0, 1, 2, 3}));
  for (const auto& [item, rate] : {std::pair{0, 1.0}, {1, 0.25}, {2, 0.5}, {3, 0.0}}) picker.note(item, rate);
  picker.note(3, 0.0);  // waits already
  picker.note(0, std::nan(""));
  ProblemPicker again(config, 8);
  again.restore(picker.state());
  EXPECT_EQ(picker.pick(2, std::ref(data)), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(picker.pick(4, std::ref(data)), (std::vector<int64_t>{3, 5, 6, 7}));
  Data other{8, 4};
  EXPECT_EQ(again.pick(4, std::ref(other)), (std::vector<int64_t>{1, 3, 4, 5}));
}

TEST(ProblemPicker, RefusesTheStateOfOtherData) {
  AlgorithmSection config;
  config.replay_fraction = 0.5;
  config.replay_max_pass_rate = 0.5;
  ProblemPicker picker(config, 8);
  picker.note(7, 0.0);
  for (const int64_t problems : {4, 7, 9}) {
    ProblemPicker other(config, problems);
    EXPECT_THROW(other.restore(picker.state()), Error) << problems;
  }
}

TEST(ProblemPicker, PassesOverWhatIsSolvedButNotForEver) {
  AlgorithmSection config;
  config.curriculum_max_pass_rate = 0.9;
  ProblemPicker picker(config, 4);
  picker.note(0, 1.0);
  picker.note(2, 0.9);
  Data data{4};
  EXPECT_EQ(picker.pick(3, std::ref(data)), (std::vector<int64_t>{1, 2, 3}));
  for (int64_t item = 0; item < 4; ++item) picker.note(item, 1.0);
  EXPECT_EQ(picker.pick(2, std::ref(data)).size(), 2U);
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
