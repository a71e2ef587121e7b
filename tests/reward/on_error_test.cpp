// What a function's fault costs, by `on_error`.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "grpo/core/error.h"
#include "grpo/reward/config.h"
#include "reward/judge.h"

namespace grpo {
namespace {

constexpr RewardRules kLenient{.timeout = 0.0, .on_error = OnRewardError::kUndefined};

/// Scores the text's length; some texts are faults. It counts what it scored.
class FaultyReward final : public Reward {
 public:
  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) override {
    for (size_t i = 0; i < batch.size(); ++i) {
      const std::string& text = batch[i].text;
      if (text == "throws") fail("faulty", "cannot read this");
      if (text == "alone" && batch.size() > 1) throw std::runtime_error("too many at once");
      scores[i] = text == "infinite" ? std::numeric_limits<double>::infinity() : static_cast<double>(text.size());
      if (text == "steps") scores[i].steps = {{2, 1.0}, {1, 1.0}};
      context.log_metric("seen", 1.0);
    }
  }
};

std::vector<Completion> completions(const Problem& problem, const std::vector<std::string>& texts) {
  std::vector<Completion> result;
  for (const std::string& text : texts) result.push_back(testing::completion(problem, text));
  return result;
}

RewardSet faulty_set() {
  RewardSet set;
  set.add("faulty", std::make_unique<FaultyReward>(), 1.0, kLenient);
  set.add("one", builtin_rewards().make("tag_count"), 0.0);
  return set;
}

TEST(OnError, UndefinedCostsTheSampleAndNoOther) {
  const Problem problem;
  const auto batch = completions(problem, {"a", "throws", "infinite", "steps", "abc"});
  ThreadPool two_threads(2);
  for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), &two_threads}) {
    RewardSet set = faulty_set();
    RewardContext context;
    const auto verdicts = score_all(set, batch, context, pool);
    EXPECT_EQ(verdicts[0].reward, 1.0);
    EXPECT_EQ(verdicts[4].reward, 3.0);
    const std::vector<std::string> reasons = {"cannot read this", "infinity", "end at 1"};
    for (size_t i = 1; i < 4; ++i) {
      const Score& score = verdicts[i].scores[0];
      EXPECT_FALSE(score.defined()) << i;
      EXPECT_TRUE(std::isnan(verdicts[i].reward)) << i;
      EXPECT_NE(score.reason.find(reasons[i - 1]), std::string::npos) << score.reason;
      EXPECT_TRUE(score.steps.empty());
      EXPECT_TRUE(verdicts[i].scores[1].defined()) << i;
    }
    EXPECT_EQ(context.metrics.at("seen"), (std::pair<double, int64_t>{4.0, 4}));  // the call that threw counts for nothing
  }
}

TEST(OnError, TheFirstLostVerdictIsWarnedOfOnce) {
  const Problem problem;
  const auto batch = completions(problem, {"a", "throws", "infinite"});
  RewardSet set = faulty_set();
  ::testing::internal::CaptureStderr();
  for (int call = 0; call < 2; ++call) {
    RewardContext context;
    score_all(set, batch, context);
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  const size_t first = log.find("[reward faulty]");
  EXPECT_NE(log.find("'throws'"), std::string::npos) << log;
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("[reward faulty]", first + 1), std::string::npos) << log;
}

TEST(OnError, WhatOnlyTheWholeBatchThrowsCostsNoVerdict) {
  const Problem problem;
  const auto batch = completions(problem, {"a", "alone"});
  RewardSet set = faulty_set();
  RewardContext context;
  const auto verdicts = score_all(set, batch, context);
  EXPECT_EQ(verdicts[0].reward, 1.0);
  EXPECT_EQ(verdicts[1].reward, 5.0);
}

TEST(OnError, AfterTheDeadlineNoSampleIsAskedAgain) {
  const Problem problem;
  const auto batch = completions(problem, {"a", "alone"});
  RewardSet set = faulty_set();
  RewardContext context;
  context.deadline = std::chrono::steady_clock::now();
  const auto verdicts = score_all(set, batch, context);
  for (const Verdict& verdict : verdicts) {
    EXPECT_FALSE(verdict.scores[0].defined());
    EXPECT_NE(verdict.scores[0].reason.find("too many at once, and no time was left"), std::string::npos) << verdict.scores[0].reason;
  }
}

TEST(OnError, StopIsTheDefaultAndNamesTheSample) {
  const Problem problem;
  for (const char* text : {"throws", "infinite", "steps", "alone"}) {
    RewardSet set;
    set.add("faulty", std::make_unique<FaultyReward>());
    RewardContext context;
    ThreadPool pool(2);
    EXPECT_THROW(score_all(set, completions(problem, {"a", text}), context), Error) << text;
    EXPECT_THROW(score_all(set, completions(problem, {"a", text}), context, &pool), Error) << text;
  }
}

RewardFunction function_from(const NamedOptions& options) {
  RewardFunction function;
  read_options("reward", options, [&function](ConfigVisitor& visitor) { describe(visitor, function); });
  return function;
}

TEST(OnError, TheRulesComeFromTheConfig) {
  const RewardFunction function =
      function_from({{"name", "\"format\""}, {"timeout", "2.5"}, {"on_error", "\"undefined\""}, {"weight", "0.5"}});
  const RewardSet set = make_rewards({function, function_from({{"name", "\"accuracy\""}})}, builtin_rewards());
  EXPECT_EQ(set.rules[0].timeout, 2.5);
  EXPECT_EQ(set.rules[0].on_error, OnRewardError::kUndefined);
  EXPECT_EQ(set.weights[0], 0.5);
  EXPECT_EQ(set.rules[1].timeout, 0.0);
  EXPECT_EQ(set.rules[1].on_error, OnRewardError::kStop);
  EXPECT_THROW(function_from({{"timeout", "-1"}}), Error);
  EXPECT_THROW(function_from({{"timeout", "1e10"}}), Error);
  EXPECT_THROW(function_from({{"on_error", "\"ignore\""}}), Error);
  for (const double timeout : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    RewardSet refused;
    EXPECT_THROW(refused.add("late", std::make_unique<FaultyReward>(), 1.0, {.timeout = timeout}), Error) << timeout;
  }
}

}  // namespace
}  // namespace grpo
