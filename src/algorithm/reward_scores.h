#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "grpo/algorithm/config.h"
#include "grpo/data/weighted_sum.h"

namespace grpo {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kScaleEpsilon = 1e-4;    // added to a deviation before dividing, as TRL does
inline constexpr double kRoundingSpread = 1e-6;  // rewards this close, relative to their size, are equal

using Rows = std::vector<size_t>;
using Values = std::vector<double>;

/// Moments of the defined values (not NaN) among some rows.
struct Moments {
  double mean;          // NaN for none
  double std;           // with n − 1; NaN for fewer than two values, exactly 0 for equal ones
  double count;         // of defined values
  bool varied = false;  // at least two values, not all equal
};
Moments moments(const Values& values, const Rows& rows);

/// Whether two rewards differ by more than rounding.
bool differ(double a, double b);

/// 0, 1, … count − 1.
Rows all_rows(size_t count);

/// Numbers as the host's; empty for an undefined tensor.
Values to_values(const at::Tensor& tensor);
at::Tensor to_tensor(const Values& values);

/// The rows of each group, groups in ascending order.
std::vector<Rows> rows_by_group(const std::vector<int64_t>& group_of);

/// Rewards as plain numbers, checked against groups and weights.
struct Scores {
  Scores(const at::Tensor& rewards, const std::vector<int64_t>& group_of, const AdvantageConfig& config);

  std::vector<Values> functions;  // [F][B]
  Values weights;                 // [F]
  Values total;                   // [B] weighted sum, NaN where no function with a weight scored; before reward_clip_range
  std::vector<Rows> groups;       // rows of each group
  Rows all;                       // every row

  /// `weighted_sum` of value(f, row) over the functions that scored the row.
  template <class Value>
  Values sum_over_functions(Value value) const {
    Values sums(all.size()), of_row(functions.size());
    for (const size_t row : all) {
      for (size_t f = 0; f < functions.size(); ++f) of_row[f] = std::isnan(functions[f][row]) ? kNan : value(f, row);
      sums[row] = weighted_sum(of_row, weights);
    }
    return sums;
  }
};

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

/// `values`, each bounded by reward_clip_range where there is one.
Values clipped(Values values, const AdvantageConfig& config);

/// The advantages [B] of the estimators that give a completion one number (group, rloo, pass_at_k, and reinforce_plus_plus_baseline before
/// its whitening), from totals that take the place of `scores.total`; NaN where undefined.
Values outcome_advantages(const Scores& scores, const Values& totals, const AdvantageConfig& config);

/// Each value's share of the best of k: the estimator pass_at_k.
Values pass_at_k_advantages(const Values& totals, const std::vector<Rows>& groups, const AdvantageConfig& config);

}  // namespace grpo
