#include "grpo/algorithm/advantages.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::AdvantageConfig;
using grpo::group_advantages;
using grpo::reward_statistics;
using grpo::RewardAggregation;
using grpo::ScaleRewards;
using grpo::testing::kNan;
using grpo::testing::values;

at::Tensor rewards(const std::vector<double>& list) { return at::tensor(list, at::kDouble); }

// Oracle: by hand. One success of four: mean 1/4, std (n − 1) = 1/2.
TEST(GroupAdvantages, OneSuccessOfFour) {
  const auto a = values(group_advantages(rewards({0, 0, 1, 0}), {7, 7, 7, 7}));
  EXPECT_NEAR(a[0], -0.25 / 0.5001, 1e-6);
  EXPECT_NEAR(a[2], 0.75 / 0.5001, 1e-6);
}

// Oracle: by hand, groups of three and two whose rows are interleaved; batch std of {0, 1, 5, 3, 2} = sqrt(3.7).
TEST(GroupAdvantages, GroupsOfUnequalSizeNeedNotBeAdjacent) {
  const at::Tensor r = rewards({0, 1, 5, 3, 2});
  const std::vector<int64_t> groups{0, 9, 0, 9, 0};
  const double mean = 7.0 / 3.0;
  const std::vector<double> centred{-mean, -1, 5 - mean, 1, 2 - mean};
  const auto none = values(group_advantages(r, groups, {.scale_rewards = ScaleRewards::kNone}));
  const auto batch = values(group_advantages(r, groups, {.scale_rewards = ScaleRewards::kBatch}));
  for (size_t i = 0; i < centred.size(); ++i) {
    EXPECT_NEAR(none[i], centred[i], 1e-6);
    EXPECT_NEAR(batch[i], centred[i] / (std::sqrt(3.7) + 1e-4), 1e-6);
  }
}

// Property: equal rewards give exactly 0 in every mode, whatever rounding their mean has, in float32 and float64, summed from several
// functions or not.
TEST(GroupAdvantages, ConstantGroupsAreExactlyZero) {
  for (const double reward : {0.1, 0.3, 0.7, 1.0 / 3.0, -0.9, 1e3, 0.0}) {
    for (const auto dtype : {at::kFloat, at::kDouble}) {
      for (const auto scale : {ScaleRewards::kGroup, ScaleRewards::kBatch, ScaleRewards::kNone}) {
        for (const auto aggregation : {RewardAggregation::kSumThenNormalize, RewardAggregation::kNormalizeThenSum}) {
          at::Tensor table = at::full({16, 2}, reward, dtype);
          table[15][0] = reward + 2;
          std::vector<int64_t> groups(16, 0);
          for (size_t row = 11; row < 16; ++row) groups[row] = 1;
          const auto a = values(group_advantages(table, groups, {scale, aggregation, {0.3, 0.7}}));
          for (size_t row = 0; row < 11; ++row) EXPECT_EQ(a[row], 0.0) << reward;
          EXPECT_GT(a[15], 0.0) << reward;
        }
      }
    }
  }
}

// Property: 0.1 + 0.7 and 0.8 + 0 are one reward although their float sums differ.
TEST(GroupAdvantages, RoundingOfSumsMakesNoSignal) {
  const at::Tensor table = at::tensor({0.1, 0.7, 0.8, 0.0, 0.5, 0.3}, at::kDouble).reshape({3, 2});
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    EXPECT_EQ(values(group_advantages(table.to(dtype), {0, 0, 0})), (std::vector<double>{0, 0, 0}));
    EXPECT_EQ(reward_statistics(table.to(dtype), {0, 0, 0}).frac_reward_zero_std, 1.0);
  }
}

// Oracle: by hand. Undefined rows leave the baseline; a lone scored completion has none.
TEST(GroupAdvantages, UndefinedRewards) {
  for (const auto scale : {ScaleRewards::kGroup, ScaleRewards::kBatch, ScaleRewards::kNone}) {
    const auto a = values(group_advantages(rewards({kNan, kNan, 0.9, 1, kNan, 3}), {0, 0, 0, 1, 1, 1}, {.scale_rewards = scale}));
    EXPECT_EQ(std::vector<double>(a.begin(), a.begin() + 3), (std::vector<double>{0, 0, 0}));
    EXPECT_EQ(a[4], 0.0);
    EXPECT_LT(a[3], 0.0);
    EXPECT_EQ(a[3], -a[5]);
  }
  const auto all_undefined = values(group_advantages(rewards({kNan, kNan}), {0, 0}));
  EXPECT_EQ(all_undefined, (std::vector<double>{0, 0}));
}

// Oracle: by hand. Weighted totals {1, 3} (row 1: the first function is undefined there), then statistics of columns and totals.
TEST(RewardStatistics, MeansAndDeviations) {
  const at::Tensor table = at::tensor({1.0, 0.0, kNan, 1.5}, at::kDouble).reshape({2, 2});
  const auto s = reward_statistics(table, {0, 0}, {.reward_weights = {1.0, 2.0}});
  EXPECT_DOUBLE_EQ(s.function_mean[0], 1.0);
  EXPECT_TRUE(std::isnan(s.function_std[0]));
  EXPECT_DOUBLE_EQ(s.function_mean[1], 0.75);
  EXPECT_NEAR(s.function_std[1], 1.5 / std::sqrt(2.0), 1e-12);
  EXPECT_DOUBLE_EQ(s.reward, 2.0);
  EXPECT_NEAR(s.reward_std, std::sqrt(2.0), 1e-12);
  EXPECT_EQ(s.frac_reward_zero_std, 0.0);
}

TEST(GroupAdvantages, BadInputIsRefused) {
  EXPECT_THROW(group_advantages(at::Tensor(), {}), grpo::Error);
  EXPECT_THROW(group_advantages(rewards({}), {}), grpo::Error);
  EXPECT_THROW(group_advantages(rewards({1, 2}), {0}), grpo::Error);
  EXPECT_THROW(group_advantages(rewards({1, std::numeric_limits<double>::infinity()}), {0, 0}), grpo::Error);
  EXPECT_THROW(group_advantages(rewards({1, 2}), {0, 0}, {.reward_weights = {1, 1}}), grpo::Error);
}

}  // namespace
