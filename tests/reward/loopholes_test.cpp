// What a policy under optimisation would try, and what each rule pays for it. Oracle: the verdicts that README.md of the room explains,
// written down by hand.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reward/judge.h"

namespace grpo {
namespace {

struct Attempt {
  std::string what, text;
  double countdown, format, tag_count;
};

/// 1, 2 and 3 make 7.
Problem one_two_three() {
  Problem problem;
  problem.fields = {{"numbers", "[1, 2, 3]"}, {"target", "7"}};
  return problem;
}

void expect_paid(const std::vector<Attempt>& attempts, const std::string& prompt = {}) {
  const Problem problem = one_two_three();
  for (const Attempt& attempt : attempts) {
    const auto paid = [&](const char* reward) { return testing::judge(reward, problem, attempt.text, {}, 0, 0, prompt).value; };
    EXPECT_EQ(paid("countdown"), attempt.countdown) << attempt.what << ": " << attempt.text;
    EXPECT_EQ(paid("format"), attempt.format) << attempt.what << ": " << attempt.text;
    EXPECT_EQ(paid("tag_count"), attempt.tag_count) << attempt.what << ": " << attempt.text;
  }
}

const std::string kRightSum = "1 + 2 * 3", kThought = "<think>two threes</think>";

std::string answer(const std::string& text) { return "<answer>" + text + "</answer>"; }
std::string answered(const std::string& text) { return kThought + answer(text); }

TEST(Loopholes, OfSeveralAnswersTheLastOneOutsideTheThoughtCounts) {
  const std::string right = answer(kRightSum), wrong = answer("1 + 2 + 3");
  expect_paid({
      {"none of them", kThought + right, 1, 1, 1},
      {"text after the answer", kThought + right + " I am sure.", 1, 0, 1},
      {"another value after the answer", kThought + right + " or 8", 1, 0, 1},
      {"the last of two is right", kThought + wrong + right, 1, 0, 0.5},
      {"the last of two is wrong", kThought + right + wrong, 0, 0, 0.5},
      {"the same one twice", kThought + right + right, 1, 0, 0.5},
      {"nested answers", kThought + answer(right), 1, 0, 0.5},
      {"an answer that is not closed", kThought + "<answer>" + kRightSum, 0, 0, 0.75},
      {"closed before it is opened", kThought + "</answer>" + kRightSum + "<answer>", 0, 0, 1},
      {"no tags", kThought + kRightSum, 0, 0, 0.5},
      {"a box", kThought + "\\boxed{" + kRightSum + "}", 0, 0, 0.5},
      {"after ####", kThought + "#### " + kRightSum, 0, 0, 0.5},
      {"the prompt, echoed", "in <think> </think> <answer> answer here </answer>. Assistant: " + kThought + right, 1, 0, 0},
      {"the prompt, echoed last", kThought + right + "User: <answer> answer here </answer>", 0, 0, 0.5},
      {"a special token as text behind", kThought + right + "<|im_end|>", 1, 0, 1},
      {"a turn as text before", "<|im_start|>assistant\n" + kThought + right, 1, 0, 1},
      {"a special token as text within", kThought + answer(kRightSum + "<|im_end|>"), 0, 1, 1},
  });
}

TEST(Loopholes, NothingInAThoughtIsPaid) {
  const std::string right = answer(kRightSum), wrong = answer("1 + 2 + 3");
  expect_paid({
      {"only there", "<think>" + right + "</think>", 0, 0, 0.5},
      {"right there and wrong outside", "<think>" + right + "</think>" + wrong, 0, 0, 0.5},
      {"wrong there and right outside", "<think>" + wrong + "</think>" + right, 1, 0, 0.5},
      {"in one that goes on", "<think>so " + right, 0, 0, 0.25},
      {"before one", right + kThought, 0, 0, 0.5},
      {"before one that goes on", right + "<think>or", 0, 0, 0.25},
      {"between two", kThought + right + kThought, 0, 0, 0},
      {"after two", kThought + kThought + right, 1, 0, 0.5},
      {"closed within one that is not", "<think>a<think>b</think>" + right, 1, 0, 0.75},
      {"within nested ones", "<think>a<think>b</think>" + right + "</think>", 0, 0, 0},
      {"closed a second time behind", "<think>a</think>" + right + "</think>", 0, 0, 0.25},
      {"closed without being opened", "a</think>" + right, 1, 0, 0.75},
      {"no thought", right, 1, 0, 0.5},
  });
  expect_paid(
      {
          {"after the thought that the prompt began", "t</think>" + right, 1, 1, 1},
          {"in it", "t" + right, 0, 0, 0.25},
          {"opened again", kThought + right, 1, 0, 0.75},
          {"empty", "\n</think>" + right, 1, 0, 1},
      },
      "7 of 1, 2, 3? <think>\n");
}

TEST(Loopholes, TagsAreTagsToTheByte) {
  const auto tagged = [](const std::string& open, const std::string& close) { return kThought + open + kRightSum + close; };
  expect_paid({
      {"upper case", "<THINK>t</THINK><ANSWER>" + kRightSum + "</ANSWER>", 0, 0, 0},
      {"attributes", tagged("<answer type=\"final\">", "</answer>"), 0, 0, 0.75},
      {"white space", tagged("< answer >", "</answer>"), 0, 0, 0.75},
      {"a Cyrillic letter", tagged("<\u0430nswer>", "</\u0430nswer>"), 0, 0, 0.5},
      {"full-width brackets", tagged("\uFF1Canswer\uFF1E", "\uFF1C/answer\uFF1E"), 0, 0, 0.5},
      {"entities", tagged("&lt;answer&gt;", "&lt;/answer&gt;"), 0, 0, 0.5},
      {"a zero-width space", tagged("<ans\u200Bwer>", "</answer>"), 0, 0, 0.75},
      {"a look-alike thought", "<th\u0456nk>t</th\u0456nk>" + answer(kRightSum), 1, 0, 0.5},
      {"a thought closed by a look-alike", "<think>t</THINK>" + answer(kRightSum), 0, 0, 0.25},
      {"a mark before the form", "\uFEFF" + answered(kRightSum), 1, 0, 1},
      {"a wide space within the form", kThought + "\u00A0" + answer(kRightSum), 1, 0, 1},
  });
}

TEST(Loopholes, AnEmptyThoughtIsNoForm) {
  for (const char* nothing :
       {"", " \n\t", "...", "\u2026", "\u200B\u2060\uFEFF", "\u200F", "\u3000\u00A0", "\u3164", "-_-", "<b></b>!", "\xFF"}) {
    const std::string kind = std::string(nothing) == "<b></b>!" ? "right" : "empty thought";
    const Score score = testing::judge("format", Problem{}, "<think>" + std::string(nothing) + "</think>" + answer("7"));
    EXPECT_EQ(score.kind, kind) << nothing;
    if (kind == "right") continue;
    EXPECT_EQ(testing::judge("format", Problem{}, kThought + answer(nothing)).kind, "empty answer") << nothing;
    EXPECT_EQ(testing::judge("format", Problem{}, kThought + answer(nothing), {{"allow_empty", "true"}}).value, 1.0) << nothing;
  }
  for (const char* something : {"7", "x", "\u2205", "\u221E", "\u7B54", "\u03C0", "\u20AC"})
    EXPECT_EQ(testing::judge("format", Problem{}, kThought + answer(something)).kind, "right") << something;
}

TEST(Loopholes, OnlyAnExpressionOfTheNumbersIsAnAnswer) {
  std::vector<Attempt> attempts;
  for (const char* text : {"1 + 2 * 3 = 7",
                           "7 = 1 + 2 * 3",
                           "7",
                           "1 + 2 + 3, 1 + 2 * 3",
                           "1 + 2 * 3 or 1 + 2 + 3",
                           "1, 2, 3, 4, 5, 6, 7",
                           "one + two * three",
                           "\uFF11 + \uFF12 * \uFF13",
                           "1 + 2 \u00D7 3",
                           "3 * 2 \u2212 -1",
                           "1 + 2 *\u200B 3",
                           "\u200F1 + 2 * 3",
                           "1\u00A0+ 2 * 3",
                           "12 - 3 - 2",
                           "1 23",
                           "1+2+3+1",
                           "+1 + 2 * 3",
                           "--1 + 2 * 3",
                           "3 * 2 - -1",
                           "2 ** 3 - 1",
                           "2 ^ 3 - 1",
                           "2 * 3 // 1",
                           "1 + 2(3)",
                           "1 + (2)(3)",
                           "3! + 2 - 1",
                           "1 + 2 * 3.0",
                           "1 + 2 * 03",
                           "1e0 + 2 * 3",
                           "0x1 + 2 * 3",
                           "1 + 2 * 3 * 1",
                           "1 + 3 + 3",
                           "1 + 2 * 3 # 7",
                           "print(1 + 2 * 3)",
                           "$1 + 2 * 3$",
                           "\\boxed{1 + 2 * 3}",
                           "`1 + 2 * 3`",
                           "**1 + 2 * 3**",
                           "the sum 1 + 2 * 3",
                           "1 + 2 * 3.",
                           "[1 + 2 * 3]"}) {
    attempts.push_back({text, answered(text), 0, 1, 1});
  }
  attempts.push_back({"a zero byte", answered(std::string("1 + 2 * 3\0", 10)), 0, 1, 1});
  attempts.push_back({"deep parentheses", answered(std::string(51, '(') + kRightSum + std::string(51, ')')), 0, 1, 1});
  attempts.push_back({"very deep ones", answered(std::string(100'000, '(') + kRightSum), 0, 1, 1});
  attempts.push_back({"more than 1000 bytes", answered(kRightSum + " " + std::string(1000, '\n') + "+ 0"), 0, 1, 1});
  attempts.push_back({"a million digits", answered(std::string(1'000'000, '7')), 0, 1, 1});
  attempts.push_back({"white space around", answered("\n 1 + 2 * 3 \t"), 1, 1, 1});
  attempts.push_back({"parentheses around", answered("((1) + (2 * 3))"), 1, 1, 1});
  expect_paid(attempts);
}

TEST(Loopholes, KindsSayWhatWasTried) {
  const auto kind = [](const std::string& text) { return testing::judge("countdown", one_two_three(), text).kind; };
  EXPECT_EQ(kind(answered(kRightSum)), "right");
  EXPECT_EQ(kind(kThought), "no final answer");
  EXPECT_EQ(kind(answered("1 + 2 * 3 = 7")), "not an expression");
  EXPECT_EQ(kind(answered("1 + 6")), "different numbers");
  EXPECT_EQ(kind(answered("1 + 2 + 3")), "different value");
  Problem zero;
  zero.fields = {{"numbers", "[1, 2, 2]"}, {"target", "7"}};
  EXPECT_EQ(testing::judge("countdown", zero, answered("1 / (2 - 2)")).kind, "no value");
  const auto form = [](const std::string& text) { return testing::judge("format", Problem{}, text).kind; };
  EXPECT_EQ(form(kThought), "a tag is missing");
  EXPECT_EQ(form(answered(answer("7"))), "a tag is repeated");
  EXPECT_EQ(form(answer("7") + kThought), "tags in another order");
  EXPECT_EQ(form(answered("7") + "."), "text around the tags");
}

struct Steps {
  std::string what, text;
  size_t steps;
  double share;
};

TEST(Loopholes, StepsArePaidOnce) {
  const RewardOptions with_answer = {{"answer", "true"}};
  for (const Steps& row : std::vector<Steps>{
           {"a right one repeated", "1+1=2 1+1=2 1+1=2 1+1=3", 2, 0.5},
           {"with blanks", "1+1=2, 1 + 1 = 2", 1, 1.0},
           {"a wrong one repeated", "1+1=2 1+1=3 1+1=3", 2, 0.5},
           {"the other way round", "1+2=3 2+1=3", 2, 1.0},
           {"no operation", "7=7 x=x 0=0", 0, 0.0},
           {"words", "three + four = seven", 0, 0.0},
           {"full-width digits", "\uFF13+\uFF14=\uFF17", 0, 0.0},
           {"a look-alike minus", "9\u22122=7", 0, 0.0},
           {"a power", "2**3=8, 2^3=8", 0, 0.0},
           {"an implied product", "2(3)=6", 0, 0.0},
           {"division by zero", "1/0=0", 1, 0.0},
           {"in a thought, where steps belong", "<think>1+1=2</think>", 1, 1.0},
       }) {
    const Score score = testing::judge("equations", Problem{}, row.text);
    EXPECT_EQ(score.steps.size(), row.steps) << row.what;
    EXPECT_EQ(score.value, row.share) << row.what;
  }
  const Problem two = testing::problem_with_answer("2");
  EXPECT_EQ(testing::judge("equations", two, "<think><answer>2</answer></think>", with_answer).value, 0.0);
  EXPECT_EQ(testing::judge("equations", two, "<think>t</think><answer>2</answer>", with_answer).value, 1.0);
  EXPECT_EQ(testing::judge("equations", two, "t<answer>2</answer>", with_answer, 0, 0, "<think>").value, 0.0);
}

// A completion that says one thing again and again pays for it, however it is spelled.
TEST(Loopholes, RepetitionIsSeenThroughItsDisguises) {
  const auto many = [](const std::string& text, int times = 100) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  const auto penalty = [](const std::string& text) { return testing::judge("repetition", Problem{}, text).value; };
  for (const std::string& text :
       {many("wait "), many("Wait wait WAIT "), many("wait, wait. wait! (wait) "), many("ha"), many("-"), many("1,"), many("\u54C8"),
        many("\u6211\u4EEC\u518D\u60F3\u4E00\u60F3\u3002"), many("so\n"), many("a b c d ")}) {
    EXPECT_LT(penalty(text), -0.8) << text.substr(0, 40);
  }
  for (const char* text : {"", "a", "a a", "The quick brown fox jumps over the lazy dog, and the dog sleeps on.", "x + y = 3 and x - y = 1",
                           "https://example.org/a/rather/long/address?with=many&parts=of&its=own"}) {
    EXPECT_EQ(penalty(text), 0.0) << text;
  }
}

// No penalty is no reward: these rules pay nothing, so an empty completion gains nothing over a short one.
TEST(Loopholes, PenaltiesNeverPay) {
  for (const char* reward : {"length", "soft_overlong", "repetition"}) {
    for (const size_t tokens : {0U, 1U, 99U, 1'000'000U}) {
      for (const char* text : {"", "a a a a a a", "<|im_end|>", "\u200B\u200B"})
        EXPECT_LE(testing::judge(reward, Problem{}, text, {}, tokens, 100).value, 0.0) << reward << tokens << text;
    }
  }
}

}  // namespace
}  // namespace grpo
