#include "grpo/algorithm/advantages.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "grpo/core/error.h"
#include "host_tokens.h"
#include "reward_scores.h"

namespace grpo {
namespace {

/// The weighted sum of the functions' z-scores within their groups.
Values sum_of_z_scores(const Scores& scores) {
  std::vector<Values> z;
  for (const Values& function : scores.functions) {
    z.push_back(center(function, scores.groups, [](const Moments& group) { return group.std + kScaleEpsilon; }));
  }
  return scores.sum_over_functions([&](size_t f, size_t row) { return z[f][row]; });
}

/// values / (deviation over the batch + 1e-4). Their mean is 0 in exact arithmetic, since each group's is: subtracting it would only add
/// rounding.
Values divided_by_deviation(Values values, const Rows& rows) {
  const Moments batch = moments(values, rows);
  for (double& value : values) value = batch.varied ? value / (batch.std + kScaleEpsilon) : 0.0;
  return values;
}

Values normalized_then_summed(const Scores& scores) { return divided_by_deviation(sum_of_z_scores(scores), scores.all); }

Values group_relative(const Scores& scores, const Values& totals, const AdvantageConfig& config) {
  const double batch_std = moments(totals, scores.all).std;
  return center(totals, scores.groups, [&](const Moments& group) {
    switch (config.scale_rewards) {
      case ScaleRewards::kGroup:
        return group.std + kScaleEpsilon;
      case ScaleRewards::kBatch:
        return batch_std + kScaleEpsilon;
      case ScaleRewards::kNone:
        return 1.0;
    }
    fail("group_advantages", "expected scale_rewards group, batch or none; got another value");
  });
}

/// r_i − mean of the others = n / (n − 1) · (r_i − mean of all n); NaN, which no deviation counts, where there are no others.
Values leave_one_out(const Scores& scores, const Values& totals, const AdvantageConfig& config) {
  Values advantages = center(totals, scores.groups, [](const Moments& group) { return (group.count - 1) / group.count; });
  for (const Rows& group : scores.groups) {
    const bool alone = moments(totals, group).count < 2;
    for (const size_t row : group) {
      if (alone || std::isnan(totals[row])) advantages[row] = kNan;
    }
  }
  return config.normalize_advantages ? divided_by_deviation(std::move(advantages), scores.all) : advantages;
}

double fraction_without_deviation(const Scores& scores, const AdvantageConfig& config) {
  const bool then_sum = config.multi_objective_aggregation == RewardAggregation::kNormalizeThenSum;
  const bool by_batch = config.advantage_estimator == "group" && config.scale_rewards == ScaleRewards::kBatch;
  if (then_sum || by_batch) {
    return moments(then_sum ? sum_of_z_scores(scores) : scores.total, scores.all).std == 0.0 ? 1.0 : 0.0;
  }
  size_t without = 0;
  for (const Rows& group : scores.groups) {
    if (moments(scores.total, group).std == 0.0) without += group.size();
  }
  return static_cast<double>(without) / static_cast<double>(scores.all.size());
}

}  // namespace

Values outcome_advantages(const Scores& scores, const Values& totals, const AdvantageConfig& config) {
  const std::string& estimator = config.advantage_estimator;
  if (estimator == "group") {
    if (config.multi_objective_aggregation == RewardAggregation::kNormalizeThenSum) return normalized_then_summed(scores);
    return group_relative(scores, totals, config);
  }
  if (estimator == "rloo") return leave_one_out(scores, totals, config);
  if (estimator == "pass_at_k") return pass_at_k_advantages(totals, scores.groups, config);
  if (estimator == "reinforce_plus_plus_baseline") return center(totals, scores.groups, [](const Moments&) { return 1.0; });
  fail("group_advantages", "expected an estimator of one advantage per completion; got " + estimator + ", see estimate_advantages");
}

at::Tensor group_advantages(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config) try {
  validate(config);
  GRPO_CHECK(config.advantage_estimator != "reinforce_plus_plus_baseline", "group_advantages",
             "expected an estimator without whitening over tokens; got reinforce_plus_plus_baseline, see estimate_advantages");
  const Scores scores(rewards, groups, config);
  return defined_or_zero(outcome_advantages(scores, clipped(scores.total, config), config));
} catch (...) {
  rethrow_as_error("group_advantages");
}

bool rewards_vary(std::span<const double> rewards) {
  const Values values(rewards.begin(), rewards.end());
  return moments(values, all_rows(values.size())).varied;
}

RewardStatistics reward_statistics(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config) try {
  const Scores scores(rewards, groups, config);
  RewardStatistics statistics;
  for (const Values& function : scores.functions) {
    const Moments batch = moments(function, scores.all);
    statistics.function_mean.push_back(batch.mean);
    statistics.function_std.push_back(batch.std);
  }
  const Moments total = moments(scores.total, scores.all);
  statistics.reward = total.mean;
  statistics.reward_std = total.std;
  statistics.frac_reward_zero_std = fraction_without_deviation(scores, config);
  return statistics;
} catch (...) {
  rethrow_as_error("reward_statistics");
}

}  // namespace grpo
