#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "grpo/algorithm/advantages.h"
#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::AdvantageConfig;
using grpo::Batch;
using grpo::estimate_advantages;
using grpo::group_advantages;
using grpo::RewardSignals;
using grpo::ScaleRewards;
using grpo::testing::kNan;
using grpo::testing::values;

at::Tensor doubles(const std::vector<double>& list) { return at::tensor(list, at::kDouble); }

/// Completions of those lengths in those groups (adjacent).
Batch batch_of(const std::vector<int64_t>& lengths, const std::vector<int64_t>& groups) {
  std::vector<grpo::Rollout> rollouts(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) {
    rollouts[i].group = groups[i];
    rollouts[i].prompt_ids = {1};
    rollouts[i].ids.assign(static_cast<size_t>(lengths[i]), 2);
  }
  return grpo::make_batch(rollouts, {});
}

void expect_estimates(const at::Tensor& advantages, const std::vector<double>& expected) {
  const auto a = values(advantages);
  ASSERT_EQ(a.size(), expected.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], expected[i], 2e-6) << i;
}

// Oracle: by hand. Row 3 is alone in its group; row 4 has no reward, row 5 one other.
TEST(Rloo, ComparesWithTheOthers) {
  const at::Tensor rewards = doubles({1, 2, 4, 3, kNan, 1, 4});
  const std::vector<int64_t> groups{0, 0, 0, 1, 2, 2, 2};
  const AdvantageConfig config{.advantage_estimator = "rloo"};
  expect_estimates(group_advantages(rewards, groups, config), {-2, -0.5, 2.5, 0, 0, -3, 3});
  AdvantageConfig normalized = config;
  normalized.normalize_advantages = true;
  const double std = std::sqrt((4 + 0.25 + 6.25 + 9 + 9) / 4) + 1e-4;  // of the five that have others
  expect_estimates(group_advantages(rewards, groups, normalized), {-2 / std, -0.5 / std, 2.5 / std, 0, 0, -3 / std, 3 / std});
  AdvantageConfig bounded = config;
  bounded.reward_clip_range = {1.5, 3};
  expect_estimates(group_advantages(rewards, groups, bounded), {-1, -0.25, 1.25, 0, 0, -1.5, 1.5});
}

// Oracle: by hand, from the closed form of arXiv 2508.10751 for one success of four and k = 2.
TEST(PassAtK, OneSuccessOfFour) {
  const AdvantageConfig config{.advantage_estimator = "pass_at_k", .pass_k = 2};
  expect_estimates(group_advantages(doubles({0, 0, 1, 0}), {0, 0, 0, 0}, config), {-1.0 / 3, -1.0 / 3, 1, -1.0 / 3});
}

// Oracle: enumeration of all sets of k among six rewards, ties among them.
TEST(PassAtK, EqualsTheMeansOverAllSets) {
  const std::vector<double> rewards{0.3, 1.2, -0.5, 1.2, 0.3, 2.0};
  for (int k = 1; k <= 5; ++k) {
    double sum = 0, squares = 0, sets = 0;
    std::vector<double> with(6, 0.0), count(6, 0.0);
    for (unsigned set = 0; set < 64; ++set) {
      if (std::popcount(set) != k) continue;
      double best = -10;
      for (unsigned i = 0; i < 6; ++i) best = set >> i & 1 ? std::max(best, rewards[i]) : best;
      for (unsigned i = 0; i < 6; ++i) {
        if (set >> i & 1) with[i] += best, ++count[i];
      }
      sum += best, squares += best * best, ++sets;
    }
    const double mean = sum / sets, std = std::sqrt(squares / sets - mean * mean);
    for (const auto scale : {ScaleRewards::kNone, ScaleRewards::kGroup}) {
      const AdvantageConfig config{.scale_rewards = scale, .advantage_estimator = "pass_at_k", .pass_k = k};
      std::vector<double> expected;
      for (size_t i = 0; i < 6; ++i) expected.push_back((with[i] / count[i] - mean) / (scale == ScaleRewards::kGroup ? std : 1));
      SCOPED_TRACE(k);
      expect_estimates(group_advantages(doubles(rewards), {0, 0, 0, 0, 0, 0}, config), expected);
    }
  }
}

// Property: a group of no more than k scored completions, and one whose sets all have the same best, say nothing.
TEST(PassAtK, NothingToCompare) {
  const AdvantageConfig config{.advantage_estimator = "pass_at_k", .pass_k = 2};
  expect_estimates(group_advantages(doubles({0, 1, kNan, 1, 1, 0}), {0, 0, 0, 1, 1, 1}, config), {0, 0, 0, 0, 0, 0});
}

// Oracle: by hand. Returns to go {0.7, 0.8 | −0.7, masked}, then the z-score over the three tokens in the loss.
TEST(ReinforcePlusPlus, WhitensReturnsOverTokens) {
  Batch batch = batch_of({2, 2}, {0, 1});
  batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F});
  const AdvantageConfig config{.advantage_estimator = "reinforce_plus_plus"};
  const at::Tensor a = estimate_advantages({.rewards = doubles({1, -1}), .token_rewards = doubles({-0.1, -0.2, 0.3, 9})}, batch, config);
  const double mean = 0.8 / 3;
  const double std = std::sqrt((std::pow(0.7 - mean, 2) + std::pow(0.8 - mean, 2) + std::pow(-0.7 - mean, 2)) / 2) + 1e-4;
  expect_estimates(a.narrow(0, 0, 3), {(0.7 - mean) / std, (0.8 - mean) / std, (-0.7 - mean) / std});
}

// Oracle: by hand. Centred {−1, 1, 1 | 0, 0 | 0}, mean 1/6 over six tokens; groups without variation stay at 0 all the same.
TEST(ReinforcePlusPlusBaseline, WhitensWhatTheGroupLeaves) {
  const Batch batch = batch_of({1, 2, 1, 1, 1}, {0, 0, 1, 1, 2});
  const AdvantageConfig config{.advantage_estimator = "reinforce_plus_plus_baseline"};
  const double mean = 1.0 / 6, std = std::sqrt((3 - 6 * mean * mean) / 5) + 1e-4;
  const double low = (-1 - mean) / std, high = (1 - mean) / std;
  const at::Tensor a = estimate_advantages({.rewards = doubles({1, 3, 5, 5, 7})}, batch, config);
  expect_estimates(a, {low, high, high, 0, 0, 0});
  EXPECT_EQ(values(a)[3], 0.0);
  EXPECT_THROW(group_advantages(doubles({1, 3}), {0, 0}, config), grpo::Error);
}

// Oracle: by hand; a group may have one completion. Neither an undefined reward nor an undefined baseline is a signal.
TEST(Remax, ComparesWithTheGreedyCompletion) {
  const Batch batch = batch_of({2, 1, 1, 1}, {0, 1, 2, 3});
  const AdvantageConfig config{.advantage_estimator = "remax"};
  const at::Tensor a = estimate_advantages({.rewards = doubles({1, 0, kNan, 1}),
                                            .greedy_rewards = doubles({0.25, 0, 0, kNan}),
                                            .token_rewards = doubles({0.5, -1, 0.125, 1, 1})},
                                           batch, config);
  expect_estimates(a, {0.25, -0.25, 0.125, 0, 0});
  EXPECT_THROW(estimate_advantages({.rewards = doubles({1, 0, 1, 1})}, batch, config), grpo::Error);
  const at::Tensor rounded =
      estimate_advantages({.rewards = doubles({0.1 + 0.2}), .greedy_rewards = doubles({0.3})}, batch_of({1}, {0}), config);
  EXPECT_EQ(values(rounded)[0], 0.0);
}

// Oracle: by hand, steps 1, 2 | 3 of one group: mean 2, deviation 1; a token after the last step has nothing to come.
TEST(ProcessSupervision, SumsTheStepsToCome) {
  const Batch batch = batch_of({4, 2}, {0, 0});
  AdvantageConfig config{.advantage_estimator = "process_supervision"};
  const RewardSignals signals{.step_rewards = doubles({kNan, 1, 2, kNan, kNan, 3})};
  const double unit = 1 / 1.0001;
  expect_estimates(estimate_advantages(signals, batch, config), {-unit, -unit, 0, 0, unit, unit});
  config.scale_rewards = ScaleRewards::kNone;
  expect_estimates(estimate_advantages(signals, batch, config), {-1, -1, 0, 0, 1, 1});
  EXPECT_THROW(estimate_advantages({.rewards = doubles({1, 0})}, batch, config), grpo::Error);
}

// Oracle: by hand. A penalty counts before the baseline: returns {1 − 0.5, 0} become ±0.25 (group, none) and ±0.5 (rloo).
TEST(TokenRewards, EnterBeforeTheBaseline) {
  Batch batch = batch_of({2, 2}, {0, 0});
  batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F});
  const RewardSignals signals{.rewards = doubles({1, 0}), .token_rewards = doubles({-0.2, -0.3, 0, 5})};
  expect_estimates(estimate_advantages(signals, batch, {.scale_rewards = ScaleRewards::kNone}), {0.25, 0.25, -0.25, -0.25});
  expect_estimates(estimate_advantages(signals, batch, {.advantage_estimator = "rloo"}), {0.5, 0.5, -0.5, -0.5});
}

struct Signals {
  Batch batch;
  RewardSignals signals;
};

/// Every signal an estimator may ask for, from rewards of completions of lengths 1, 2, 3, 1, 2, … in groups of four.
Signals signals_of(const std::vector<double>& rewards) {
  std::vector<int64_t> lengths, groups;
  for (size_t i = 0; i < rewards.size(); ++i) {
    lengths.push_back(static_cast<int64_t>(i % 3) + 1);
    groups.push_back(static_cast<int64_t>(i / 4));
  }
  Signals result{batch_of(lengths, groups), {.rewards = doubles(rewards), .greedy_rewards = doubles(rewards)}};
  result.signals.step_rewards = result.signals.rewards.index_select(0, at::tensor(result.batch.sequence_of));
  return result;
}

/// Each estimator with each setting of scale_rewards that it may have.
std::vector<AdvantageConfig> estimator_configs() {
  std::vector<AdvantageConfig> configs;
  for (const auto& row : grpo::estimator_table()) {
    for (const auto scale : {ScaleRewards::kGroup, ScaleRewards::kBatch, ScaleRewards::kNone}) {
      const bool refused = row.name == "pass_at_k" && scale == ScaleRewards::kBatch;
      if (!refused) configs.push_back({.scale_rewards = scale, .advantage_estimator = std::string(row.name), .pass_k = 2});
    }
  }
  return configs;
}

// Property: equal rewards say nothing, exactly, whatever rounding they have; nor does a batch without any.
TEST(EveryEstimator, EqualOrUndefinedRewardsGiveExactlyZero) {
  for (const double reward : {0.1, 0.7, 1.0 / 3.0, -0.9, 1e3, 0.0, kNan}) {
    const auto [batch, signals] = signals_of(std::vector<double>(8, reward));
    for (const auto& config : estimator_configs()) {
      const at::Tensor a = estimate_advantages(signals, batch, config);
      EXPECT_TRUE(a.eq(0).all().item<bool>()) << config.advantage_estimator << reward;
    }
  }
}

// Property: one group of equal rewards beside a varied one is exactly 0 for every estimator that compares groups, and so is the only scored
// completion of a group and every completion without a reward.
TEST(EveryEstimator, ConstantGroupsSingletonsAndUndefinedRewards) {
  auto [batch, signals] = signals_of({0.7, 0.7, 0.7, 0.7, 0, 1, 0.5, kNan, kNan, kNan, 0.4, kNan});
  signals.greedy_rewards = doubles({0.7, 0.7, 0.7, 0.7, 0.1, 0.1, 0.1, 0.1, 0.4, 0.4, 0.4, 0.4});
  for (const auto& config : estimator_configs()) {
    if (config.advantage_estimator == "process_supervision") continue;  // its steps are its own
    SCOPED_TRACE(config.advantage_estimator);
    const auto a = values(estimate_advantages(signals, batch, config));
    const bool groups = config.advantage_estimator != "reinforce_plus_plus";
    double largest = 0;
    for (size_t pair = 0; pair < a.size(); ++pair) {
      const int32_t sample = batch.sequence_of[pair];
      const bool undefined = sample == 7 || sample == 8 || sample == 9 || sample == 11;
      if (undefined || (groups && (sample < 4 || sample == 10))) {
        EXPECT_EQ(a[pair], 0.0) << "sample " << sample;
      }
      if (sample >= 4 && sample < 7) largest = std::max(largest, std::abs(a[pair]));
    }
    EXPECT_GT(largest, 0.1);
  }
}

TEST(EstimateAdvantages, BadInputIsRefused) {
  const auto [batch, signals] = signals_of({0, 1, 0, 1});
  const auto refuses = [&batch = batch](RewardSignals other, const AdvantageConfig& config) {
    EXPECT_THROW(estimate_advantages(other, batch, config), grpo::Error);
  };
  refuses({}, {});
  refuses({.rewards = doubles({1, 2})}, {});
  refuses({.rewards = signals.rewards, .token_rewards = doubles({1})}, {});
  refuses({.step_rewards = doubles({1})}, {.advantage_estimator = "process_supervision"});
  refuses({.step_rewards = signals.step_rewards, .token_rewards = signals.step_rewards}, {.advantage_estimator = "process_supervision"});
  refuses({.rewards = signals.rewards, .token_rewards = signals.step_rewards},
          {.multi_objective_aggregation = grpo::RewardAggregation::kNormalizeThenSum});
  refuses(signals, {.advantage_estimator = "group", .normalize_advantages = true});
}

}  // namespace
