// A reward that hangs costs at most the step. Oracle: the run that nothing disturbed.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
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

}  // namespace
}  // namespace grpo
