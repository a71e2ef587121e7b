#include <algorithm>
#include <cmath>
#include <limits>

#include "reward_scores.h"

namespace grpo {
namespace {

/// C(n, k) / C(total, of), 0 where k is not in [0, n].
double choose_ratio(double n, double k, double total, double of) {
  if (k < 0 || k > n) return 0.0;
  const auto log_choose = [](double a, double b) { return std::lgamma(a + 1) - std::lgamma(b + 1) - std::lgamma(a - b + 1); };
  return std::exp(log_choose(n, k) - log_choose(total, of));
}

/// Advantages of one group's rewards in ascending order, which take more than one value among the best of k.
Values advantages_of_sorted(const Values& sorted, double k, bool scaled) {
  const auto n = static_cast<double>(sorted.size());
  const auto mean_of_best = [&](auto&& value) {  // over all sets of k: the i-th is the best of one that has k − 1 of the i below it
    double sum = 0;
    for (size_t i = 0; i < sorted.size(); ++i) sum += choose_ratio(static_cast<double>(i), k - 1, n, k) * value(sorted[i]);
    return sum;
  };
  const double mean = mean_of_best([](double best) { return best; });
  const double variance = mean_of_best([&](double best) { return (best - mean) * (best - mean); });
  const double scale = scaled ? std::sqrt(variance) : 1.0;
  Values advantages(sorted.size());
  double above = 0;  // Σ_j over the better ones: j is the best of a set with i and k − 2 more of those below j
  for (size_t i = sorted.size(); i-- > 0;) {
    const double own = choose_ratio(static_cast<double>(i), k - 1, n - 1, k - 1) * sorted[i];
    advantages[i] = (own + above - mean) / scale;
    above += choose_ratio(static_cast<double>(i) - 1, k - 2, n - 1, k - 1) * sorted[i];
  }
  return advantages;
}

}  // namespace

Values pass_at_k_advantages(const Values& totals, const std::vector<Rows>& groups, const AdvantageConfig& config) {
  Values result(totals.size(), std::numeric_limits<double>::quiet_NaN());
  const auto k = static_cast<size_t>(config.pass_k);
  for (const Rows& group : groups) {
    Rows defined;
    std::ranges::copy_if(group, std::back_inserter(defined), [&](size_t row) { return !std::isnan(totals[row]); });
    std::ranges::stable_sort(defined, {}, [&](size_t row) { return totals[row]; });
    if (defined.size() < k || !differ(totals[defined[k - 1]], totals[defined.back()])) continue;  // every set of k has the same best
    Values sorted;
    for (const size_t row : defined) sorted.push_back(totals[row]);
    const Values advantages = advantages_of_sorted(sorted, static_cast<double>(k), config.scale_rewards == ScaleRewards::kGroup);
    for (size_t i = 0; i < defined.size(); ++i) result[defined[i]] = advantages[i];
  }
  return result;
}

}  // namespace grpo
