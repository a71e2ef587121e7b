#include "grpo/algorithm/advantages.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kScaleEpsilon = 1e-4;    // added to a deviation before dividing, as TRL does
constexpr double kRoundingSpread = 1e-6;  // rewards this close, relative to their size, are equal

using Rows = std::vector<size_t>;
using Values = std::vector<double>;

/// Moments of the defined values among some rows.
struct Moments {
  double mean = kNan;
  double std = kNan;    // with n − 1; NaN for fewer than two values, exactly 0 for equal ones
  bool varied = false;  // at least two values, not all equal
};

Moments moments(const Values& values, const Rows& rows) {
  double sum = 0, low = std::numeric_limits<double>::infinity(), high = -low, size = 0;
  int64_t count = 0;
  for (const size_t row : rows) {
    const double value = values[row];
    if (std::isnan(value)) continue;
    ++count;
    sum += value;
    low = std::min(low, value);
    high = std::max(high, value);
    size = std::max(size, std::abs(value));
  }
  if (count == 0) return {};
  const double mean = sum / static_cast<double>(count);
  if (count == 1) return {.mean = mean};
  if (high - low <= kRoundingSpread * size) return {.mean = mean, .std = 0.0};
  double squares = 0;
  for (const size_t row : rows) {
    if (!std::isnan(values[row])) squares += (values[row] - mean) * (values[row] - mean);
  }
  return {.mean = mean, .std = std::sqrt(squares / static_cast<double>(count - 1)), .varied = true};
}

/// Rewards as plain numbers, checked against groups and weights.
struct Scores {
  Scores(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config);

  std::vector<Values> functions;  // [F][B]
  Values weights;                 // [F]
  Values total;                   // [B] weighted sum, NaN where no function scored
  std::vector<Rows> groups;       // rows of each group
  Rows all;                       // every row

  /// Σ_f weight · value(f, row) over the functions that scored the row; NaN where none did.
  template <class Value>
  Values weighted_sum(Value value) const {
    Values sums(all.size(), kNan);
    for (const size_t row : all) {
      for (size_t f = 0; f < functions.size(); ++f) {
        if (std::isnan(functions[f][row])) continue;
        sums[row] = (std::isnan(sums[row]) ? 0.0 : sums[row]) + weights[f] * value(f, row);
      }
    }
    return sums;
  }
};

Scores::Scores(const at::Tensor& rewards, const std::vector<int64_t>& group_of, const AdvantageConfig& config) {
  constexpr auto kWhere = "group_advantages";
  GRPO_CHECK(rewards.defined() && (rewards.dim() == 1 || rewards.dim() == 2) && rewards.size(0) > 0, kWhere,
             "expected rewards [B] or [B, F] with B > 0; got none of that shape");
  const at::Tensor table = rewards.detach().to(at::kCPU, at::kDouble).reshape({rewards.size(0), -1}).contiguous();
  const auto rows = static_cast<size_t>(table.size(0)), count = static_cast<size_t>(table.size(1));
  GRPO_CHECK(group_of.size() == rows, kWhere,
             "expected one group per row (" + std::to_string(rows) + "); got " + std::to_string(group_of.size()));
  weights = config.reward_weights.empty() ? Values(count, 1.0) : config.reward_weights;
  GRPO_CHECK(weights.size() == count, kWhere,
             "expected one reward weight per function (" + std::to_string(count) + "); got " + std::to_string(weights.size()));
  functions.assign(count, Values(rows));
  std::map<int64_t, Rows> by_group;
  for (size_t row = 0; row < rows; ++row) {
    all.push_back(row);
    by_group[group_of[row]].push_back(row);
    for (size_t f = 0; f < count; ++f) {
      functions[f][row] = table.const_data_ptr<double>()[row * count + f];
      GRPO_CHECK(!std::isinf(functions[f][row]), kWhere, "expected finite rewards or NaN; got infinity in row " + std::to_string(row));
    }
  }
  for (auto& [group, members] : by_group) groups.push_back(std::move(members));
  total = weighted_sum([this](size_t f, size_t row) { return functions[f][row]; });
}

/// (value − mean) / divisor(group's moments) within each group; 0 in groups without variation, NaN where the value is.
template <class Divisor>
Values center(const Values& values, const std::vector<Rows>& groups, Divisor divisor) {
  Values result(values.size(), 0.0);
  for (const Rows& group : groups) {
    const Moments group_moments = moments(values, group);
    for (const size_t row : group) {
      if (group_moments.varied) result[row] = (values[row] - group_moments.mean) / divisor(group_moments);
    }
  }
  return result;
}

/// The weighted sum of the functions' z-scores within their groups.
Values sum_of_z_scores(const Scores& scores) {
  std::vector<Values> z;
  for (const Values& function : scores.functions) {
    z.push_back(center(function, scores.groups, [](const Moments& group) { return group.std + kScaleEpsilon; }));
  }
  return scores.weighted_sum([&](size_t f, size_t row) { return z[f][row]; });
}

Values advantages_of(const Scores& scores, const AdvantageConfig& config) {
  if (config.multi_objective_aggregation == RewardAggregation::kNormalizeThenSum) {
    Values sums = sum_of_z_scores(scores);
    const Moments batch = moments(sums, scores.all);
    // the mean over the batch is 0 in exact arithmetic (each group's z-scores sum to 0), so subtracting it would add rounding only
    for (double& sum : sums) sum = batch.varied ? sum / (batch.std + kScaleEpsilon) : 0.0;
    return sums;
  }
  const double batch_std = moments(scores.total, scores.all).std;
  return center(scores.total, scores.groups, [&](const Moments& group) {
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

double fraction_without_deviation(const Scores& scores, const AdvantageConfig& config) {
  const bool then_sum = config.multi_objective_aggregation == RewardAggregation::kNormalizeThenSum;
  if (then_sum || config.scale_rewards == ScaleRewards::kBatch) {
    return moments(then_sum ? sum_of_z_scores(scores) : scores.total, scores.all).std == 0.0 ? 1.0 : 0.0;
  }
  size_t without = 0;
  for (const Rows& group : scores.groups) {
    if (moments(scores.total, group).std == 0.0) without += group.size();
  }
  return static_cast<double>(without) / static_cast<double>(scores.all.size());
}

}  // namespace

at::Tensor group_advantages(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config) {
  const Scores scores(rewards, groups, config);
  Values advantages = advantages_of(scores, config);
  std::ranges::replace_if(
      advantages, [](double value) { return std::isnan(value); }, 0.0);
  return at::tensor(advantages, at::kDouble).to(at::kFloat);
}

RewardStatistics reward_statistics(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config) {
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
}

}  // namespace grpo
