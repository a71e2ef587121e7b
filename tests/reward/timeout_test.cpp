// Functions that do not come back: what is waited for, what ends the wait, what is left behind.
#include "reward/timeout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "reward/judge.h"
#include "support/errors.h"

namespace grpo {
namespace {

using Clock = std::chrono::steady_clock;

/// What a hanging reward and its test share.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int calls = 0, inside = 0, most_inside = 0;
  std::string read;  // by the call that came back last
  std::vector<Clock::time_point> deadlines;
  std::vector<std::thread::id> threads;

  void let_through() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  /// Until so many calls have begun and all have come back; how many there were.
  int await_back(int at_least) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return calls >= at_least && inside == 0; });
    return calls;
  }
};

/// Comes back once the gate is open and then reads everything that it was given.
class HangingReward final : public Reward {
 public:
  explicit HangingReward(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) override {
    std::unique_lock lock(gate_->mutex);
    ++gate_->calls;
    gate_->most_inside = std::max(gate_->most_inside, ++gate_->inside);
    gate_->deadlines.push_back(context.deadline);
    gate_->threads.push_back(std::this_thread::get_id());
    gate_->changed.wait(lock, [this] { return gate_->open; });
    gate_->read.clear();
    for (size_t i = 0; i < batch.size(); ++i) {
      gate_->read += batch[i].text + batch[i].problem->answer;
      scores[i] = 1.0;
    }
    context.log_metric("read", 1.0);
    --gate_->inside;
    gate_->changed.notify_all();
  }

 private:
  std::shared_ptr<Gate> gate_;
};

struct Hanging {
  explicit Hanging(RewardRules rules) {
    set.add("slow", std::make_unique<HangingReward>(gate), 1.0, rules);
    set.add("quick", builtin_rewards().make("tag_count"));
  }
  std::vector<Verdict> score(ThreadPool* pool = nullptr) {
    RewardContext context;
    return score_all(set, batch, context, pool);
  }

  Problem problem = testing::problem_with_answer("7");
  std::vector<Completion> batch = {testing::completion(problem, "<think>"), testing::completion(problem, "b")};
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  RewardSet set;
};

TEST(Timeout, AnOverrunStopsTheRunAndSaysWhoIsAwaited) {
  Hanging hanging({.timeout = 0.05});
  ::testing::internal::CaptureStderr();
  const std::string message = testing::message_of([&] { hanging.score(); });
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(message.find("[reward slow] expected verdicts within 0.05 s"), std::string::npos) << message;
  const size_t line = log.find("reward slow has been awaited for");
  ASSERT_NE(line, std::string::npos) << log;
  EXPECT_EQ(log.find("slow", line + 10), std::string::npos) << log;
  hanging.gate->let_through();
  hanging.gate->await_back(1);
}

TEST(Timeout, AnOverrunCostsOnlyItsOwnVerdictsAndIsNotCalledTwiceAtATime) {
  ThreadPool pool(2);
  for (ThreadPool* given : {static_cast<ThreadPool*>(nullptr), &pool}) {
    Hanging hanging({.timeout = 0.05, .on_error = OnRewardError::kUndefined});
    for (int call = 0; call < 3; ++call) {
      const auto verdicts = hanging.score(given);
      EXPECT_FALSE(verdicts[0].scores[0].defined());
      EXPECT_NE(verdicts[0].scores[0].reason.find(call == 0 ? "within 0.05 s" : "still busy"), std::string::npos);
      EXPECT_EQ(verdicts[0].reward, 0.25);
      EXPECT_EQ(verdicts[1].reward, 0.0);
    }
    hanging.gate->let_through();
    EXPECT_EQ(hanging.gate->await_back(1), 1);
    while (!hanging.score(given)[0].scores[0].defined())
      std::this_thread::yield();  // until its old thread has left, and then it is asked again
    hanging.gate->await_back(2);
    EXPECT_EQ(hanging.gate->most_inside, 1);
  }
}

TEST(Timeout, ACallThatIsLeftBehindOwnsWhatItReads) {
  std::shared_ptr<Gate> gate;
  std::weak_ptr<Reward> reward;
  {
    Hanging hanging({.timeout = 0.05});
    gate = hanging.gate;
    reward = hanging.set.rewards[0];
    EXPECT_THROW(hanging.score(), Error);
  }
  EXPECT_FALSE(reward.expired());
  gate->let_through();
  gate->await_back(1);
  EXPECT_EQ(gate->read, "<think>7b7");
  while (!reward.expired()) std::this_thread::yield();
}

TEST(Timeout, SetsTheDeadlineOfItsFunctionOnly) {
  Hanging hanging({.timeout = 60.0});
  hanging.set.add("free", std::make_unique<HangingReward>(hanging.gate));
  hanging.gate->let_through();
  RewardContext context;
  const auto begin = Clock::now();
  const auto verdicts = score_all(hanging.set, hanging.batch, context);
  const auto end = Clock::now();
  EXPECT_EQ(verdicts[0].scores[0].value, 1.0);
  EXPECT_EQ(context.metrics.at("read").second, 2);
  ASSERT_EQ(hanging.gate->deadlines.size(), 2U);
  EXPECT_GE(hanging.gate->deadlines[0], begin + std::chrono::seconds(60));
  EXPECT_LE(hanging.gate->deadlines[0], end + std::chrono::seconds(60));
  EXPECT_EQ(hanging.gate->deadlines[1], Clock::time_point::max());
  context.deadline = begin;  // the caller's stands where it is the earlier one
  score_all(hanging.set, hanging.batch, context);
  EXPECT_EQ(hanging.gate->deadlines[2], begin);
}

TEST(Timeout, WithoutOneAndWithoutAPoolTheCallersThreadAsks) {
  Hanging hanging(RewardRules{});
  hanging.gate->let_through();
  hanging.score();
  EXPECT_EQ(hanging.gate->threads[0], std::this_thread::get_id());
  ThreadPool pool(1);
  hanging.score(&pool);
  EXPECT_NE(hanging.gate->threads[1], std::this_thread::get_id());
}

TEST(Timeout, WithoutOneTheLogSaysWhoIsAwaited) {
  Hanging hanging(RewardRules{});
  std::thread opener([gate = hanging.gate] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    gate->let_through();
  });
  Patience patience;
  patience.notice = std::chrono::milliseconds(20);
  RewardContext context;
  ::testing::internal::CaptureStderr();
  const Judgement judgement = judge_on_own_thread(hanging.set, 0, std::make_shared<const OwnedBatch>(hanging.batch), context, patience);
  const std::string log = ::testing::internal::GetCapturedStderr();
  opener.join();
  EXPECT_EQ(judgement.scores[1].value, 1.0);
  EXPECT_NE(log.find("reward slow has been awaited for"), std::string::npos) << log;
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 8) << log;  // each time twice as long as before
}

/// A guard leaves the last request standing, and the next guard clears it.
class TimeoutSignal : public ::testing::Test {
  void TearDown() override { const InterruptGuard guard; }
};

TEST_F(TimeoutSignal, EndsTheWaitForAHangingFunction) {
  const InterruptGuard guard;
  Hanging hanging({.on_error = OnRewardError::kUndefined});
  ThreadPool pool(2);
  std::raise(SIGTERM);
  const std::string message = testing::message_of([&] { hanging.score(&pool); });
  EXPECT_NE(message.find("[reward slow] expected verdicts; got a signal to stop"), std::string::npos) << message;
  const std::string again = testing::message_of([&] { hanging.set.rules[0].on_error = OnRewardError::kStop, hanging.score(); });
  EXPECT_NE(again.find("still busy"), std::string::npos) << again;
  hanging.gate->let_through();
  EXPECT_EQ(hanging.gate->await_back(1), 1);
}

TEST_F(TimeoutSignal, LeavesAFunctionThatComesBackItsVerdicts) {
  const InterruptGuard guard;
  Hanging hanging(RewardRules{});
  std::thread opener([gate = hanging.gate] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    gate->let_through();
  });
  ThreadPool pool(2);
  std::raise(SIGTERM);
  EXPECT_EQ(hanging.score(&pool)[0].scores[0].value, 1.0);
  opener.join();
}

}  // namespace
}  // namespace grpo
