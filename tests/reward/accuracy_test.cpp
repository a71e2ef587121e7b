#include <gtest/gtest.h>

#include "grpo/data/dataset.h"
#include "reward/judge.h"
#include "support/parity.h"

namespace grpo {
namespace {

using testing::judge;
using testing::problem_with_answer;

TEST(Accuracy, ScoresTheFinalAnswer) {
  const Problem problem = problem_with_answer("27.0");
  EXPECT_EQ(judge("accuracy", problem, "<think>26</think><answer> 27 </answer>").value, 1.0);
  EXPECT_EQ(judge("accuracy", problem, "it is \\boxed{27}").value, 1.0);
  EXPECT_EQ(judge("accuracy", problem, "<answer>28</answer> \\boxed{27}").value, 0.0);
  EXPECT_EQ(judge("accuracy", problem, "27").value, 0.0);
  EXPECT_EQ(judge("accuracy", problem, "<answer>28</answer>").reason, "answer '28' differs from '27.0'");
}

TEST(Accuracy, OptionsChooseThePlaceAndTheScores) {
  const Problem problem = problem_with_answer("27");
  const RewardOptions boxed = {{"extract", "\"boxed\""}, {"correct", "2"}, {"wrong", "-1"}};
  EXPECT_EQ(judge("accuracy", problem, "<answer>28</answer> \\boxed{27}", boxed).value, 2.0);
  EXPECT_EQ(judge("accuracy", problem, "<answer>27</answer>", boxed).value, -1.0);
  EXPECT_EQ(judge("accuracy", problem, "#### 27", {{"extract", "\"hash\""}}).value, 1.0);
  EXPECT_EQ(judge("accuracy", problem, "#### 27", {{"extract", "\"answer\""}}).value, 0.0);
}

TEST(Accuracy, HasNoVerdictWithoutAReferenceAnswer) {
  EXPECT_FALSE(judge("accuracy", Problem{}, "<answer>27</answer>").defined());
  EXPECT_FALSE(judge("accuracy", problem_with_answer(" "), "<answer>27</answer>").defined());
}

TEST(Accuracy, AnyOfSeveralAnswersIsRight) {
  Problem problem = problem_with_answer("3");
  problem.further_answers = {"three", "#### III"};
  for (const char* right : {"3.0", "three", "III"})
    EXPECT_EQ(judge("accuracy", problem, "<answer>" + std::string(right) + "</answer>").value, 1.0) << right;
  const Score wrong = judge("accuracy", problem, "<answer>4</answer>");
  EXPECT_EQ(wrong.value, 0.0);
  EXPECT_EQ(wrong.reason, "answer '4' differs from '3' and 2 more");
  EXPECT_EQ(judge("accuracy", problem, "<answer>three</answer>").reason, "answer 'three' equals 'three'");
  problem.further_answers = {" "};
  EXPECT_EQ(judge("accuracy", problem, "<answer> </answer>").value, 0.0);
}

/// Oracle: GSM8K's own solutions end with the reference answer; another row's answer is right only where it is the same number.
TEST(Accuracy, EveryGsm8kSolutionScoresOne) {
  const auto path = testing::data_dir() / "gsm8k" / "test.jsonl";
  GRPO_REQUIRE_DATA(path);
  const auto problems = load_problems(path, {.answer_after = "####"});
  const auto unsplit = load_problems(path);
  ASSERT_EQ(problems.size(), unsplit.size());
  for (size_t i = 0; i < problems.size(); ++i) {
    EXPECT_EQ(judge("accuracy", problems[i], unsplit[i].answer).value, 1.0) << unsplit[i].answer;
    EXPECT_EQ(judge("accuracy", unsplit[i], "<answer>" + problems[i].answer + ".00</answer>").value, 1.0) << unsplit[i].answer;
    EXPECT_EQ(judge("accuracy", problems[i], "#### 1" + problems[i].answer).value, 0.0);
  }
}

}  // namespace
}  // namespace grpo
