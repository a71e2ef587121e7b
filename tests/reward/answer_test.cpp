#include "grpo/reward/answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "grpo/reward/rational.h"
#include "support/parity.h"

namespace grpo {
namespace {

using enum Extraction;

std::string extracted(std::string_view text, Extraction extraction) { return extract_answer(text, extraction).value_or("(none)"); }

TEST(ExtractAnswer, TakesTheLastTag) {
  EXPECT_EQ(extracted("<answer>1</answer> no, <answer>\n 2 \n</answer> done", kAnswerTag), "2");
  EXPECT_EQ(extracted("<answer>1</answer> and <answer>2", kAnswerTag), "1");
  EXPECT_EQ(extracted("<answer>1</answer> stray </answer>", kAnswerTag), "1");
  EXPECT_EQ(extracted("<answer>a<answer>b</answer>", kAnswerTag), "b");
  for (const char* text : {"", "5", "<answer>", "</answer>", "</answer><answer>", "<answer> </answer>", "\\boxed{5}"}) {
    EXPECT_EQ(extracted(text, kAnswerTag), "(none)") << text;
  }
}

TEST(ExtractAnswer, TakesTheLastBoxWithCountedBraces) {
  EXPECT_EQ(extracted("\\boxed{1} then $\\boxed{\\frac{1}{2}}$.", kBoxed), "\\frac{1}{2}");
  EXPECT_EQ(extracted("\\boxed{x = \\boxed{5}}", kBoxed), "5");
  EXPECT_EQ(extracted("\\boxed  {5}", kBoxed), "5");
  EXPECT_EQ(extracted("\\boxed{5}}", kBoxed), "5");
  for (const char* text : {"\\boxed{1} \\boxed{2", "\\boxed", "\\boxed 5", "\\boxed{}", "{5}"})
    EXPECT_EQ(extracted(text, kBoxed), "(none)") << text;
}

TEST(ExtractAnswer, TakesTheLineAfterTheLastHashes) {
  EXPECT_EQ(extracted("#### 1\nmore\n#### 72.\nend", kHash), "72.");
  EXPECT_EQ(extracted("####72", kHash), "72");
  EXPECT_EQ(extracted("### 72", kHash), "(none)");
  EXPECT_EQ(extracted("#### \n72", kHash), "(none)");
}

TEST(ExtractAnswer, AnyPrefersTagThenBoxThenHashes) {
  EXPECT_EQ(extracted("<answer>1</answer> \\boxed{2}\n#### 3", kAny), "1");
  EXPECT_EQ(extracted("#### 3\n\\boxed{2}", kAny), "2");
  EXPECT_EQ(extracted("so #### 3", kAny), "3");
  EXPECT_EQ(extracted("the answer is 3", kAny), "(none)");
}

TEST(ExtractAnswer, LastIntegerIsTakenFromAnywhere) {
  EXPECT_EQ(extract_answer("<think>3+5=8 8-2=6", Extraction::kLastInteger), "6");
  EXPECT_EQ(extract_answer("so 8-2", Extraction::kLastInteger), "2");
  EXPECT_EQ(extract_answer("it is -12 apples", Extraction::kLastInteger), "-12");
  EXPECT_EQ(extract_answer("-7", Extraction::kLastInteger), "-7");
  EXPECT_EQ(extract_answer("3-4=-1", Extraction::kLastInteger), "-1");
  EXPECT_EQ(extract_answer("none", Extraction::kLastInteger), std::nullopt);
}

TEST(GoldAnswer, IsFoundInsideASolution) {
  EXPECT_EQ(gold_answer(" 72 "), "72");
  EXPECT_EQ(gold_answer("48+24=72\n#### 72"), "72");
  EXPECT_EQ(gold_answer("Hence $\\boxed{72}$."), "72");
  EXPECT_EQ(gold_answer(""), "");
}

TEST(AnswersEqual, NumbersAreComparedExactly) {
  const std::pair<const char*, const char*> equal[] = {{"72", "72."},
                                                       {"33", "033"},
                                                       {"1000", "1,000"},
                                                       {"27.0", "27"},
                                                       {"72", "$72"},
                                                       {"72", "\\$72"},
                                                       {"-5", "-$5"},
                                                       {"72", "72 apples"},
                                                       {"72 apples", "72"},
                                                       {"0.5", "1/2"},
                                                       {"\\frac{1}{2}", ".5"},
                                                       {"-\\frac{3}{4}", "-0.75"},
                                                       {"\\dfrac{14}{3}", "\\frac{28}{6}"},
                                                       {"1/2", "$\\frac{1}{2}$"},
                                                       {"50%", "0.5"},
                                                       {"50\\%", "50 %"},
                                                       {"10,\\!080", "10080"},
                                                       {"42", "\\boxed{42}"},
                                                       {"42", "$\\boxed{42}$."}};
  for (const auto& [gold, given] : equal) EXPECT_TRUE(answers_equal(gold, given)) << gold << " and " << given;
}

TEST(AnswersEqual, NearlyIsNotEqual) {
  const std::pair<const char*, const char*> different[] = {{"50", "0.5"},
                                                           {"0.5", "50"},
                                                           {"50", "50%"},
                                                           {"1/3", "0.333"},
                                                           {"9007199254740993", "9007199254740992"},
                                                           {"5", "-5"},
                                                           {"72", "72 or 73"},
                                                           {"5", "5 million"},
                                                           {"5", "5 dozens"},
                                                           {"3", "3 halves"},
                                                           {"2", "2 pi"},
                                                           {"3", "3 x"},
                                                           {"5 cm", "5 km"},
                                                           {"$5", "5 apples"},
                                                           {"5", "5 6"},
                                                           {"1,2", "12"},
                                                           {"1000", "1,00"},
                                                           {"72", "the answer 72"},
                                                           {"72", "= 72"},
                                                           {"5", "5 hundredths"},
                                                           {"5", ""},
                                                           {"x", "X"},
                                                           {"5", "$"},
                                                           {"5", "\\frac{5}"},
                                                           {"5", "\\frac{10}{2}0"}};
  for (const auto& [gold, given] : different) EXPECT_FALSE(answers_equal(gold, given)) << gold << " and " << given;
}

TEST(AnswersEqual, TextIsComparedWithWhiteSpaceNormalised) {
  EXPECT_TRUE(answers_equal("New  York", " New\nYork. "));
  EXPECT_TRUE(answers_equal("$x+1$", "x+1"));
  EXPECT_FALSE(answers_equal("New York", "NewYork"));
  EXPECT_TRUE(answers_equal(std::string(50, '5'), std::string(50, '5')));  // beyond 127 bits
  EXPECT_FALSE(answers_equal(std::string(50, '5'), std::string(50, '5') + ".0"));
}

/// Oracle: the hand-written verdicts, where gold and the extracted answer are both numbers to `parse_number`.
TEST(AnswersEqual, AgreesWithTheVerdictsOnNumbers) {
  const auto folder = testing::parity_dir() / "verifier";
  GRPO_REQUIRE_DATA(folder);
  int64_t judged = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".jsonl") continue;
    std::istringstream lines(testing::read_text(file.path()));
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line);
      const auto gold = row["gold"].get<std::string>();
      const auto given = extract_answer(row["prediction"].get<std::string>(), kBoxed);
      if (!given || row["numeric"].is_null() || row["expected"].is_null()) continue;
      if (!parse_number(gold) || !parse_number(*given)) continue;
      EXPECT_EQ(answers_equal(gold, *given), row["expected"].get<bool>()) << line;
      ++judged;
    }
  }
  EXPECT_GT(judged, 300);
}

}  // namespace
}  // namespace grpo
