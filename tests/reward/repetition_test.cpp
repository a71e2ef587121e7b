#include <gtest/gtest.h>

#include "reward/judge.h"

namespace grpo {
namespace {

double repetition(const std::string& text, const RewardOptions& options = {}) {
  return testing::judge("repetition", Problem{}, text, options).value;
}

/// Hand values: the n-grams are written out.
TEST(Repetition, CountsDifferentNgrams) {
  EXPECT_EQ(repetition("a b c d"), 0.0);
  EXPECT_EQ(repetition("a b"), 0.0);
  EXPECT_EQ(repetition(""), 0.0);
  EXPECT_DOUBLE_EQ(repetition("a a a a a"), -2.0 / 3.0);                                    // aaa aaa aaa: 1 of 3
  EXPECT_DOUBLE_EQ(repetition("a b c\n a  b\tc"), -1.0 / 4.0);                              // abc bca cab abc: 3 of 4
  EXPECT_DOUBLE_EQ(repetition("a b a b", {{"ngram", "2"}, {"max_penalty", "0.3"}}), -0.1);  // ab ba ab: 2 of 3
  EXPECT_DOUBLE_EQ(repetition("a b a b", {{"ngram", "1"}}), -0.5);
}

TEST(Repetition, LongTextsAreNoProblem) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "x ";
  EXPECT_NEAR(repetition(text, {{"ngram", "64"}}), -1.0, 1e-4);
}

}  // namespace
}  // namespace grpo
