#include <gtest/gtest.h>

#include "grpo/data/tasks.h"
#include "reward/judge.h"

namespace grpo {
namespace {

Problem goal(const std::string& numbers, const std::string& target) {
  Problem problem;
  problem.fields = {{"numbers", numbers}, {"target", target}};
  return problem;
}

double countdown(const Problem& problem, const std::string& expression, const RewardOptions& options = {}) {
  return testing::judge("countdown", problem, "<think>try 1+1</think><answer>" + expression + "</answer>", options).value;
}

TEST(Countdown, WantsEveryNumberOnceAndTheExactValue) {
  const Problem problem = goal("[3, 7, 25, 25]", "24");
  EXPECT_EQ(countdown(problem, "25 - 25 + 7 * 3 "), 0.0);
  EXPECT_EQ(countdown(problem, "(7 * 25 - 25) / 3"), 0.0);
  const Problem exact = goal("[8, 3, 3, 8]", "24");
  EXPECT_EQ(countdown(exact, "8 / (3 - 8 / 3)"), 1.0);  // needs exact fractions
  EXPECT_EQ(countdown(exact, " \n8/(3-8/3)\n "), 1.0);
  EXPECT_EQ(countdown(exact, "8 * 3"), 0.0);
  EXPECT_EQ(countdown(exact, "8 * 3 * 8 / 8"), 0.0);
  EXPECT_EQ(countdown(exact, "24"), 0.0);
}

TEST(Countdown, KnownLoopholesAreClosed) {
  EXPECT_EQ(countdown(goal("[2, 3]", "8"), "2**3"), 0.0);
  EXPECT_EQ(countdown(goal("[7, 2]", "3"), "7//2"), 0.0);
  EXPECT_EQ(countdown(goal("[2, 5, 4]", "10"), "2.5*4"), 0.0);
  EXPECT_EQ(countdown(goal("[9, 9, 9]", "1"), "9**9**9"), 0.0);
  EXPECT_EQ(countdown(goal("[1, 2]", "12"), "1 2"), 0.0);
  EXPECT_EQ(countdown(goal("[1, 2]", "2"), "1(2)"), 0.0);
  EXPECT_EQ(countdown(goal("[1, 2]", "3"), "1 + 2 = 3"), 0.0);
  EXPECT_EQ(countdown(goal("[3]", "3"), "3</answer><answer>4"), 0.0);  // the last one counts
  EXPECT_EQ(testing::judge("countdown", goal("[1, 2]", "3"), "<answer>1+2</answer>").value, 1.0);
  EXPECT_EQ(testing::judge("countdown", goal("[1, 2]", "3"), "1+2").value, 0.0);
}

TEST(Countdown, FormatScoreIsForWrongExpressionsOnly) {
  const RewardOptions options = {{"format_score", "0.1"}};
  const Problem problem = goal("[1, 2]", "3");
  EXPECT_EQ(countdown(problem, "1 + 2", options), 1.0);
  EXPECT_EQ(countdown(problem, "1 - 2", options), 0.1);
  EXPECT_EQ(countdown(problem, "1 + 3", options), 0.1);
  EXPECT_EQ(countdown(problem, "1 / (2 - 2)", options), 0.1);
  EXPECT_EQ(countdown(problem, "one", options), 0.0);
}

TEST(Countdown, ReadsOtherSetsAndHasNoVerdictOnBadOnes) {
  Problem other;
  other.fields = {{"nums", "[1, 2]"}};
  other.answer = "3";
  EXPECT_EQ(countdown(other, "1+2"), 1.0);
  EXPECT_EQ(countdown(other, "2-1"), 0.0);
  other.further_answers = {"1"};
  EXPECT_EQ(countdown(other, "1+2"), 1.0);
  EXPECT_EQ(countdown(other, "2-1"), 1.0);
  EXPECT_EQ(countdown(other, "2*1"), 0.0);
  EXPECT_FALSE(testing::judge("countdown", Problem{}, "<answer>1+2</answer>").defined());
  for (const Problem& bad :
       {goal("[1, \"2\"]", "3"), goal("[1, 2", "3"), goal(std::string(100'000, '['), "3"), goal("[1, 2]", "three"), Problem{}}) {
    const Score score = testing::judge("countdown", bad, "<answer>1+2</answer>");
    EXPECT_FALSE(score.defined());
    EXPECT_EQ(score.kind, kUnreadableGold);
    EXPECT_EQ(builtin_rewards().make("countdown")->unreadable(bad), score.reason);
    EXPECT_FALSE(score.reason.empty());
  }
  EXPECT_EQ(builtin_rewards().make("countdown")->unreadable(other), "");
}

TEST(Countdown, ShowsTheValuesItCompared) {
  const Score wrong = testing::judge("countdown", goal("[1, 2]", "4"), "<answer>1 / 2</answer>");
  EXPECT_EQ(wrong.gold + " " + wrong.given + " " + wrong.kind, "4 1/2 different value");
  const Score unread = testing::judge("countdown", goal("[1, 2]", "3"), "<answer>1 + 2 = 3</answer>");
  EXPECT_EQ(unread.gold + " | " + unread.given, "3 | 1 + 2 = 3");
}

/// Oracle: a generated problem's own solution.
TEST(Countdown, GeneratedSolutionsScoreOne) {
  const auto task = builtin_tasks().make("countdown", {{"numbers", "5"}});
  for (const Problem& problem : generate_problems(*task, Split::kTest, 200, 1)) {
    EXPECT_EQ(countdown(problem, problem.solution), 1.0) << problem.question << problem.solution;
    EXPECT_EQ(countdown(problem, problem.solution + " + 1"), 0.0);
  }
}

}  // namespace
}  // namespace grpo
