#include <gtest/gtest.h>

#include "grpo/core/error.h"
#include "grpo/data/dataset.h"
#include "grpo/reward/registry.h"
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
  EXPECT_EQ(judge("accuracy", problem, "<answer>27</answer> \\boxed{28}").value, 0.0);
  EXPECT_EQ(judge("accuracy", problem, "27").value, 0.0);
  EXPECT_EQ(judge("accuracy", problem, "<answer>28</answer>").reason, "'28' differs from '27.0': different values");
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

TEST(Accuracy, HasNoVerdictIfNoRightAnswerCanBeRead) {
  const std::string prose = "If so, it would take 180 days. Therefore, the answer is: 180.";
  Problem problem = problem_with_answer(prose);
  const Score score = judge("accuracy", problem, "\\boxed{180}");
  EXPECT_FALSE(score.defined());
  EXPECT_EQ(score.kind, kUnreadableGold);
  const auto reward = builtin_rewards().make("accuracy", {});
  EXPECT_EQ(reward->unreadable(problem), "prose: '" + prose + "'");
  problem.further_answers = {"180"};
  EXPECT_EQ(reward->unreadable(problem), "");
  EXPECT_EQ(judge("accuracy", problem, "\\boxed{180}").value, 1.0);
  EXPECT_EQ(judge("accuracy", problem, "\\boxed{181}").value, 0.0);
}

TEST(Accuracy, TellsTheKindAndBothAnswersAsRead) {
  const struct {
    const char *gold, *text, *kind, *wanted, *given;
  } cases[] = {{"\\frac12", "\\boxed{0.5}", "right", "1/2", "1/2"},
               {"(1,2)", "\\boxed{(2,1)}", "different answer", "(1, 2)", "(2, 1)"},
               {"5", "so it is", "no final answer", "5", ""},
               {"5", "\\boxed{\\frac{5}{}}", "answer not readable", "5", "\\frac{5}{}"},
               {"5", "\\boxed{5+\\sin(10^{10^6})}", "undecided", "5", "5 + sin(10^(10^6))"}};
  for (const auto& [gold, text, kind, wanted, given] : cases) {
    const Score score = judge("accuracy", problem_with_answer(gold), text);
    EXPECT_EQ(score.kind, kind) << text;
    EXPECT_EQ(score.gold, wanted) << text;
    EXPECT_EQ(score.given, given) << text;
  }
}

TEST(Accuracy, OptionsSayHowStrictlyAnswersAreCompared) {
  const struct {
    const char *gold, *text;
    RewardOptions options;
    double value;
  } cases[] = {
      {"\\pi", "\\boxed{3.14}", {}, 0.0},
      {"\\pi", "\\boxed{3.14}", {{"tolerance", "0.001"}}, 1.0},
      {"\\pi", "\\boxed{3.1}", {{"tolerance", "0.001"}}, 0.0},
      {"5 cm", "\\boxed{5}", {}, 1.0},
      {"5 cm", "\\boxed{5}", {{"units", "\"required\""}}, 0.0},
      {"5 cm", "\\boxed{5\\text{ cm}}", {{"units", "\"required\""}}, 1.0},
      {"1/2", "\\boxed{0.5}", {{"compare", "\"text\""}}, 0.0},
      {"a long, long text. It is a sentence.", "<answer>a long,  long text. It is a\nsentence.</answer>", {{"compare", "\"text\""}}, 1.0},
      {"The answer", "the sum is 5, so the answer is 5", {{"extract", "\"lenient\""}}, 0.0},
      {"5", "the sum is 6, so the answer is 5", {{"extract", "\"lenient\""}}, 1.0}};
  for (const auto& [gold, text, options, value] : cases)
    EXPECT_EQ(judge("accuracy", problem_with_answer(gold), text, options).value, value) << text;
  EXPECT_THROW(judge("accuracy", problem_with_answer("5"), "5", {{"tolerance", "-1"}}), Error);
}

TEST(Accuracy, AnyOfSeveralAnswersIsRight) {
  Problem problem = problem_with_answer("3");
  problem.further_answers = {"three", "#### III"};
  for (const char* right : {"3.0", "three", "III"})
    EXPECT_EQ(judge("accuracy", problem, "<answer>" + std::string(right) + "</answer>").value, 1.0) << right;
  const Score wrong = judge("accuracy", problem, "<answer>4</answer>");
  EXPECT_EQ(wrong.value, 0.0);
  EXPECT_EQ(wrong.reason, "'4' differs from '3': different values, and of 3 answers none agrees");
  EXPECT_EQ(judge("accuracy", problem, "<answer>three</answer>").reason, "'three' equals 'three': written alike");
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
