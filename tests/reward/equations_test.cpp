// Oracles: hand-marked texts; demonstrations of which it is known what is wrong in them.
#include <gtest/gtest.h>

#include "grpo/data/demonstrations.h"
#include "grpo/data/tasks.h"
#include "reward/judge.h"

namespace grpo {
namespace {

/// The text with "!" after each step that is right and "?" after each that is wrong.
std::string marked(const std::string& text, const RewardOptions& options = {}, const std::string& answer = {}) {
  std::string out;
  size_t begin = 0;
  for (const StepScore& step : testing::judge("equations", testing::problem_with_answer(answer), text, options).steps) {
    out += text.substr(begin, step.end - begin) + (step.value == 1.0 ? "!" : step.value == 0.0 ? "?" : "*");
    begin = step.end;
  }
  return out + text.substr(begin);
}

TEST(Equations, AreStepsThatEndWithTheirNumber) {
  for (const std::string steps :
       {"<think>3+5=8! 8-2=6! 6+1=9?</think><answer>9</answer>", "12 - 5 = 7!\n7\t*\t3 =21! \n", "2-5=-3! -3+4=1! 1-3=2?", "(1+2)*3=9!",
        "1/4=0.25!. So 1/3=0.33?, then", "So (3+4=7!), and 500+500=1,000!; 2+2=4!,", "7=7, x=4, 1/0=0?", "2. 3+4=7!", "- 3+4=7!",
        "8 3+4=7!", "1) 3+4=7!", "5 -3+4=6!"}) {
    std::string plain;
    for (const char c : steps) plain += c == '!' || c == '?' ? "" : std::string(1, c);
    EXPECT_EQ(marked(plain), steps);
  }
}

TEST(Equations, OfRunningOnesEachIsOne) { EXPECT_EQ(marked("1+2=3+4=7, 1+2=3+5=7"), "1+2=3+4=7!, 1+2=3+5=7?"); }

TEST(Equations, PartsOfSomethingLongerAreNone) {
  for (const char* text : {"x3+4=7", "x+3+4=7", "1.5+2=3.5", "1,000+1=1001", "3+4=7x", "3+4=7*1", "3+4=7%", "2(3+4)=14", "3^2+1=10",
                           "3+4=", "=7", "3+4==7", "1+1=2=2", "3+4=-", "2\u00D73+4=10", "9\u22122+1=8", "3+4\n=7", "3+4=\n7", "1+2=3e5"}) {
    EXPECT_EQ(marked(text), text);
  }
}

TEST(Equations, ScoreIsTheShareOfRightOnes) {
  const Problem problem;
  EXPECT_EQ(testing::judge("equations", problem, "1+1=2 1+1=3 2+2=4 1+2=3").value, 0.75);
  EXPECT_EQ(testing::judge("equations", problem, "none").value, 0.0);
  EXPECT_EQ(testing::judge("equations", problem, "1+1=2 1+1=3").reason, "1 of 2 steps right");
}

TEST(Equations, TheAnswerMayBeTheLastStep) {
  const RewardOptions options = {{"answer", "true"}};
  EXPECT_EQ(marked("1+1=2<answer>2</answer>.", options, "2"), "1+1=2!<answer>2</answer>.!");
  EXPECT_EQ(marked("<answer>3</answer>", options, "2"), "<answer>3</answer>?");
  EXPECT_EQ(marked("1+1=2", options, "2"), "1+1=2!?");
  EXPECT_EQ(marked("1+1=2", options), "1+1=2!");
  EXPECT_EQ(marked("", options, "2"), "");
  Problem several = testing::problem_with_answer("2");
  several.further_answers = {"two"};
  EXPECT_EQ(testing::judge("equations", several, "<answer>two</answer>", options).value, 1.0);
  EXPECT_EQ(testing::judge("equations", several, "<answer>three</answer>", options).value, 0.0);
}

// Each step of a careful chain is right; a slip makes one of them wrong and the answer, but no other.
TEST(Equations, JudgesDemonstrations) {
  const auto task = builtin_tasks().make("chained_arithmetic", {{"terms", "5"}, {"digits", "2"}});
  const auto problems = generate_problems(*task, Split::kTest, 200, 1);
  for (const bool slips : {false, true}) {
    const DemonstrationMix mix{.careful = slips ? 0.0 : 1.0, .guess = 0.0, .slip = slips ? 1.0 : 0.0, .unformatted = slips ? 0.0 : 1.0};
    const auto demonstrations = make_demonstrations(problems, mix, 7);
    for (size_t i = 0; i < problems.size(); ++i) {
      const std::string& text = demonstrations[i].completion;
      const Score score = testing::judge("equations", problems[i], text);
      ASSERT_EQ(score.steps.size(), 4U) << text;
      EXPECT_EQ(score.value, slips ? 0.75 : 1.0) << text;
    }
  }
}

}  // namespace
}  // namespace grpo
