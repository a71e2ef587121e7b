#include <gtest/gtest.h>

#include "grpo/core/error.h"
#include "reward/judge.h"

namespace grpo {
namespace {

double by_length(const std::string& reward, size_t tokens, const RewardOptions& options, int64_t max_completion_length = 0) {
  return testing::judge(reward, Problem{}, "", options, tokens, max_completion_length).value;
}

TEST(Length, FallsLinearlyBeyondTheTarget) {
  const RewardOptions target = {{"target", "100"}};
  EXPECT_EQ(by_length("length", 0, target), 0.0);
  EXPECT_EQ(by_length("length", 100, target), 0.0);
  EXPECT_DOUBLE_EQ(by_length("length", 125, target), -0.25);
  EXPECT_EQ(by_length("length", 200, target), -1.0);
  EXPECT_EQ(by_length("length", 900, target), -1.0);
}

/// Oracle: equation 13 of the DAPO paper with its L_max = 20480 and L_cache = 4096.
TEST(SoftOverlong, FollowsThePaper) {
  const RewardOptions paper = {{"max_length", "20480"}, {"cache", "4096"}};
  EXPECT_EQ(by_length("soft_overlong", 16384, paper), 0.0);
  EXPECT_DOUBLE_EQ(by_length("soft_overlong", 16385, paper), -1.0 / 4096);
  EXPECT_DOUBLE_EQ(by_length("soft_overlong", 18432, paper), -0.5);
  EXPECT_EQ(by_length("soft_overlong", 20480, paper), -1.0);
  EXPECT_EQ(by_length("soft_overlong", 30000, paper), -1.0);
}

TEST(SoftOverlong, DefaultsToTheRunsLimit) {
  EXPECT_DOUBLE_EQ(by_length("soft_overlong", 90, {}, 100), -0.5);
  EXPECT_THROW(by_length("soft_overlong", 90, {}), Error);
  EXPECT_THROW(by_length("soft_overlong", 90, {{"cache", "200"}}, 100), Error);
  EXPECT_THROW(by_length("soft_overlong", 90, {{"max_length", "-1"}}), Error);
}

}  // namespace
}  // namespace grpo
