// A reward that hangs costs at most the step. Oracle: the run that nothing disturbed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

std::atomic<bool> hangs{false}, asks_to_stop{false};
std::atomic<int> hanging{0};

/// «slow» is 0.5 on even numbers of tokens and else 0; «even» beside it always answers.
Registry slow_registry() {
  auto r = testing::registry();
  r.add_reward("slow", [](const Completion& c) {
    ++hanging;
    if (asks_to_stop.exchange(false)) std::raise(SIGTERM);
    while (hangs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    --hanging;
    return c.ids.size() % 2 == 0 ? 0.5 : 0.0;
  });
  return r;
}

Config slow_config(const std::string& name, double timeout, OnRewardError on_error) {
  Config c = testing::tiny_config(name);
  c.reward = {{.name = "even", .function = {}, .weight = 1.0, .options = {}},
              {.name = "slow", .function = {}, .weight = 1.0, .timeout = timeout, .on_error = on_error, .options = {}}};
  return c;
}

void release() {
  hangs = false;
  while (hanging > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

class HangingReward : public ::testing::TestWithParam<bool> {
  void TearDown() override { const InterruptGuard clears_the_request; }
};

TEST_P(HangingReward, EndsTheRunWithACheckpointOfTheLastStep) {
  const bool signal = GetParam();
  const std::string name = signal ? "hanging-signal" : "hanging-timeout";
  const Config whole = slow_config("whole-" + name, 0.0, OnRewardError::kStop);
  const Config cut = slow_config(name, signal ? 0.0 : 1.0, signal ? OnRewardError::kUndefined : OnRewardError::kStop);
  PolicyTrainer undisturbed(whole, {}, slow_registry());
  ASSERT_TRUE(undisturbed.train());
  {
    PolicyTrainer trainer(cut, {}, slow_registry());
    trainer.on_step([&](const TrainReport& report) {
      if (report.step == 2) hangs = true, asks_to_stop = signal;
    });
    if (signal) {
      EXPECT_FALSE(trainer.train());
    } else {
      EXPECT_THROW(trainer.train(), Error);
    }
  }
  release();
  EXPECT_TRUE(fs::exists(fs::path(cut.trainer.output_dir) / "checkpoint-2"));
  PolicyTrainer trainer(cut, {}, slow_registry());
  ASSERT_TRUE(trainer.resume());
  ASSERT_TRUE(trainer.train());
  EXPECT_TRUE(testing::equal(testing::weights(trainer.model()), testing::weights(undisturbed.model())));
}

INSTANTIATE_TEST_SUITE_P(Ends, HangingReward, ::testing::Values(false, true),
                         [](const auto& test) { return test.param ? "by_signal" : "by_timeout"; });

TEST(HangingRewardUndefined, LosesItsVerdictsAndTheRunGoesOn) {
  const Config c = slow_config("hanging-undefined", 1.0, OnRewardError::kUndefined);
  PolicyTrainer trainer(c, {}, slow_registry());
  EXPECT_EQ(trainer.step()->metrics.at("rewards/slow/undefined"), 0.0);
  hangs = true;
  EXPECT_EQ(trainer.step()->metrics.at("rewards/slow/undefined"), 16.0);
  const auto report = trainer.step();  // it is still busy
  EXPECT_EQ(report->metrics.at("rewards/slow/undefined"), 16.0);
  EXPECT_EQ(report->metrics.at("rewards/even/undefined"), 0.0);
  release();
}

/// Whether «isolated» is in another process than the trainer, and what it gives while a file is there: nothing.
Config isolated_config(const std::string& name, bool isolate) {
  Config c = testing::tiny_config(name);
  c.reward = {{.name = "even", .function = {}, .weight = 1.0, .options = {}},
              {.name = "isolated",
               .function = {},
               .weight = 1.0,
               .timeout = 3.0,
               .isolate = isolate,
               .on_error = OnRewardError::kUndefined,
               .options = {}}};
  c.eval.data = c.data.train;
  c.eval.data.split = "test";
  c.eval.data.count = 8;
  return c;
}

Registry isolated_registry(const fs::path& flag) {
  auto r = testing::registry();
  r.add_reward("isolated", [flag, process = ::getpid()](const Completion& c, RewardContext& context) {
    while (fs::exists(flag)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    context.log_metric("elsewhere", ::getpid() == process ? 0.0 : 1.0);
    return c.ids.size() % 2 == 0 ? 0.5 : 0.0;
  });
  return r;
}

TEST(IsolatedReward, TrainsAndEvaluatesAsItWouldHere) {
  PolicyTrainer here(isolated_config("isolated-here", false), {}, isolated_registry("nowhere"));
  PolicyTrainer there(isolated_config("isolated-there", true), {}, isolated_registry("nowhere"));
  for (int step = 0; step < 2; ++step) {
    const auto expected = here.step()->metrics, got = there.step()->metrics;
    EXPECT_EQ(got.at("rewards/isolated/mean"), expected.at("rewards/isolated/mean"));
    EXPECT_EQ(expected.at("elsewhere"), 0.0);
    EXPECT_EQ(got.at("elsewhere"), 1.0);
  }
  EXPECT_TRUE(testing::equal(testing::weights(there.model()), testing::weights(here.model())));
  EXPECT_EQ(there.evaluate(), here.evaluate());
}

TEST(IsolatedReward, ThatHangsLosesOneStepsVerdicts) {
  const fs::path flag = fs::path(::testing::TempDir()) / ("hang-" + std::to_string(::getpid()));
  PolicyTrainer trainer(isolated_config("isolated-hanging", true), {}, isolated_registry(flag));
  EXPECT_EQ(trainer.step()->metrics.at("rewards/isolated/undefined"), 0.0);
  std::ofstream(flag).put('x');
  EXPECT_EQ(trainer.step()->metrics.at("rewards/isolated/undefined"), 16.0);
  fs::remove(flag);
  EXPECT_EQ(trainer.step()->metrics.at("rewards/isolated/undefined"), 0.0) << "another process has taken its place";
}

}  // namespace
}  // namespace grpo
