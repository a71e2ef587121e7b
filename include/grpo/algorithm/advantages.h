#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grpo/algorithm/config.h"

namespace grpo {

/// A = (r − mean of the group) / (std + 1e-4), std with n − 1 (DeepSeekMath, arXiv 2402.03300, with TRL's constants); RewardAggregation and
/// ScaleRewards say what r and std are.
///
/// `rewards`: [B, F], one column per reward function, or [B]; NaN = undefined, which leaves that score out of every sum. `groups`: [B], any
/// numbers; groups may differ in size. Result: [B] float32 on the CPU. Exactly 0 are: completions that no function scored, the only scored
/// completion of a group, and groups whose rewards are equal (to 1e-6 of their size, so that rounding makes no signal).
/// Throws on infinite rewards and on numbers of groups or weights that do not fit.
at::Tensor group_advantages(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config = {});

/// TRL's reward metrics; NaN where fewer than one (means) or two (deviations) scores are defined.
struct RewardStatistics {
  std::vector<double> function_mean;  // rewards/{function}/mean, over the batch
  std::vector<double> function_std;   // rewards/{function}/std
  double reward = 0;                  // mean weighted sum
  double reward_std = 0;              // its deviation over the batch
  double frac_reward_zero_std = 0;    // share of completions whose advantage is divided by a deviation of zero
};
RewardStatistics reward_statistics(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config = {});

}  // namespace grpo
