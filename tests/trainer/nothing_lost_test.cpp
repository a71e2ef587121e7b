// Whatever ends a run, a checkpoint of the last good state stands. Oracle: the run that nothing disturbed.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <limits>
#include <numeric>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grpo/algorithm/policy_term.h"
#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

enum class Mishap { kNone, kThrow, kSignal, kLongUpdate };
Mishap mishap = Mishap::kNone;  // what the reward does when it is asked next
int late_passes = 0;            // losses that were asked for after a signal

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

/// A clipped loss that fails when it is told to.
class FragileTerm final : public PolicyTerm {
 public:
  at::Tensor loss(const PolicyTermInput& in) const override {
    late_passes += interrupt_requested() ? 1 : 0;
    const Mishap now = std::exchange(mishap, Mishap::kNone);
    if (now == Mishap::kThrow) fail("fragile", "broken");
    if (now == Mishap::kLongUpdate) {  // a signal in the first of several passes, which takes longer than a stop may
      std::raise(SIGTERM);
      std::this_thread::sleep_for(std::chrono::milliseconds(5100));
    }
    return -at::minimum(in.ratio * in.advantages, in.ratio.clamp(0.8, 1.2) * in.advantages);
  }
};

enum class End { kMaxSteps, kMaxTokens, kSignal, kSignalInRollout, kSignalInUpdate, kLossThrows, kCallbackThrows };

struct StopCase {
  std::string name;
  std::function<void(Config&)> change;
  End end = End::kMaxSteps;
  int64_t stop = 6;
  int64_t logging_steps = 1;
};

void PrintTo(const StopCase& given, std::ostream* out) { *out << given.name; }

void four_steps_a_rollout(Config& c) { c.algorithm.steps_per_generation = 4; }
void several_passes_a_step(Config& c) { four_steps_a_rollout(c), c.trainer.max_tokens = 16; }

const StopCase kStops[] = {
    {"whole_rollouts", [](Config&) {}},
    {"four_steps_a_rollout", four_steps_a_rollout},
    {"two_passes", [](Config& c) { c.algorithm.steps_per_generation = 2, c.algorithm.num_iterations = 2; }, End::kMaxSteps, 7},
    {"two_passes_with_reference",
     [](Config& c) { c.algorithm.num_iterations = 4, c.algorithm.loss.beta = 0.05, c.algorithm.loss.use_adaptive_kl = true; }},
    {"clip_cov", [](Config& c) { c.algorithm.num_iterations = 4, c.algorithm.loss.loss_type = LossType::kClipCov; }, End::kMaxSteps, 5},
    {"ppo", [](Config& c) { four_steps_a_rollout(c), c.algorithm.objective = "ppo"; }},
    {"prime",
     [](Config& c) {
       four_steps_a_rollout(c);
       c.algorithm.objective = "prime";
       c.algorithm.prime.outcome_reward = "even";
     }},
    {"online_dpo", [](Config& c) { four_steps_a_rollout(c), c.algorithm.objective = "online_dpo"; }},
    {"partial_rollouts", [](Config& c) { testing::pause_samples(c, 4), four_steps_a_rollout(c); }},
    {"replay", [](Config& c) { four_steps_a_rollout(c), c.algorithm.replay_fraction = 0.5, c.algorithm.replay_max_pass_rate = 1.0; }},
    {"temperature", [](Config& c) { four_steps_a_rollout(c), c.rollout.final_temperature = 0.5; }, End::kSignal},
    {"window_of_the_log", four_steps_a_rollout, End::kMaxSteps, 5, 4},
    {"window_and_signal", four_steps_a_rollout, End::kSignal, 5, 3},
    {"tokens", four_steps_a_rollout, End::kMaxTokens},
    {"loss_throws", four_steps_a_rollout, End::kLossThrows, 6, 4},
    {"loss_throws_at_a_rollouts_first_step", four_steps_a_rollout, End::kLossThrows, 4},
    {"loss_throws_with_partial_rollouts", [](Config& c) { testing::pause_samples(c, 4); }, End::kLossThrows, 3},
    {"loss_throws_with_replay",
     [](Config& c) {
       c.algorithm.replay_fraction = 0.5, c.algorithm.replay_max_pass_rate = 1.0, c.algorithm.curriculum_max_pass_rate = 0.9;
     },
     End::kLossThrows, 5},
    {"callback_throws", four_steps_a_rollout, End::kCallbackThrows, 6},
    {"rollout_is_abandoned",  // between its verdicts and its greedy samples
     [](Config& c) {
       c.algorithm.objective = "remax";
       c.reward = {{.name = "fragile", .function = {}, .weight = 1.0, .options = {}}};
     },
     End::kSignalInRollout, 5, 2},
    {"long_update_is_abandoned", several_passes_a_step, End::kSignalInUpdate, 5, 3},
    {"long_update_of_a_rollouts_first_step_is_abandoned", several_passes_a_step, End::kSignalInUpdate, 4},
};

Config stop_config(const StopCase& given, const std::string& run) {
  Config c = testing::tiny_config(given.name + "-" + run);
  c.trainer.max_steps = 8;
  c.trainer.logging_steps = given.logging_steps;
  c.optim.lr_scheduler_type = "constant";
  given.change(c);
  if (given.end == End::kLossThrows || given.end == End::kSignalInUpdate) c.algorithm.loss.custom_loss = "fragile";
  return c;
}

/// Trains until the case's end, after step `stop`, and says how that went.
void train_until(const StopCase& given, Config c, const Registry& registry) {
  if (given.end == End::kMaxSteps) c.trainer.max_steps = given.stop;
  if (given.end == End::kMaxTokens) c.trainer.max_num_tokens = 1;
  PolicyTrainer trainer(c, {}, registry);
  trainer.on_step([&](const TrainReport& report) {
    if (report.step != given.stop) return;
    if (given.end == End::kSignal) std::raise(SIGTERM);
    if (given.end == End::kSignalInRollout) mishap = Mishap::kSignal;
    if (given.end == End::kSignalInUpdate) mishap = Mishap::kLongUpdate;
    if (given.end == End::kLossThrows) mishap = Mishap::kThrow;
    if (given.end == End::kCallbackThrows) fail("callback", "broken");
  });
  if (given.end == End::kLossThrows || given.end == End::kCallbackThrows) {
    EXPECT_THROW(trainer.train(), Error);
  } else {
    const bool stopped = given.end == End::kSignal || given.end == End::kSignalInRollout || given.end == End::kSignalInUpdate;
    late_passes = 0;
    EXPECT_EQ(trainer.train(), !stopped);
    EXPECT_EQ(late_passes, 0) << "what is abandoned is not computed";
  }
}

class Stops : public ::testing::TestWithParam<StopCase> {};

// At any step, for any reason, and whatever a rollout still has to give.
TEST_P(Stops, TheRunGoesOnAsIfItHadNotStopped) {
  const StopCase& given = GetParam();
  Registry registry = fragile_registry();
  registry.add_loss<FragileTerm>("fragile");
  const Config whole = stop_config(given, "whole"), cut = stop_config(given, "cut");
  std::vector<at::Tensor> expected;
  {
    PolicyTrainer trainer(whole, {}, registry);
    ASSERT_TRUE(trainer.train());
    expected = testing::weights(trainer.model());
  }
  train_until(given, cut, registry);
  PolicyTrainer trainer(cut, {}, registry);
  ASSERT_TRUE(trainer.resume());
  EXPECT_EQ(trainer.steps_done(), given.end == End::kMaxTokens ? 1 : given.stop);
  ASSERT_TRUE(trainer.train());
  EXPECT_TRUE(testing::equal(testing::weights(trainer.model()), expected));
  EXPECT_EQ(testing::metric_lines(cut), testing::metric_lines(whole));
  EXPECT_EQ(testing::verdicts_of(cut), testing::verdicts_of(whole));
}

INSTANTIATE_TEST_SUITE_P(Table, Stops, ::testing::ValuesIn(kStops), [](const auto& test) { return test.param.name; });

TEST(NothingLost, APartialLineIsWrittenAtAStop) {
  const StopCase given{"partial-line", four_steps_a_rollout, End::kSignal, 5, 3};
  const Config c = stop_config(given, "cut");
  train_until(given, c, fragile_registry());
  const auto lines = testing::metric_lines(c);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].at("step"), 5);
}

TEST(NothingLost, LogsOfARunWithoutCheckpointsMoveAside) {
  Config c = testing::tiny_config("aside");
  {
    PolicyTrainer trainer(c, {}, testing::registry());
    ASSERT_TRUE(trainer.train());
  }
  const auto lines = testing::metric_lines(c);
  for (int64_t step = 1; step <= c.trainer.max_steps; ++step)
    fs::remove_all(fs::path(c.trainer.output_dir) / ("checkpoint-" + std::to_string(step)));
  PolicyTrainer again(c, {}, testing::registry());
  EXPECT_FALSE(again.resume());
  ASSERT_TRUE(again.train());
  EXPECT_EQ(testing::metric_lines(c), lines);
  EXPECT_TRUE(fs::exists(fs::path(c.trainer.output_dir) / "metrics.jsonl.1"));
  EXPECT_TRUE(fs::exists(fs::path(c.trainer.output_dir) / "verdicts.json.1"));
}

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
