#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/config.h"
#include "grpo/algorithm/estimator_registry.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// A = (r − mean of the group) / (std + 1e-4), std with n − 1 (DeepSeekMath, arXiv 2402.03300, with TRL's constants); RewardAggregation and
/// ScaleRewards say what r and std are. Likewise rloo and pass_at_k, which `AdvantageConfig::advantage_estimator` names; the other
/// estimators need tokens and are `estimate_advantages`'s alone.
///
/// `rewards`: [B, F], one column per reward function, or [B]; NaN = undefined, which leaves that score out of every sum. `groups`: [B], any
/// numbers; groups may differ in size. Result: [B] float32 on the CPU. Exactly 0 are: completions that no function scored, the only scored
/// completion of a group, and groups whose rewards are equal (to 1e-6 of their size, so that rounding makes no signal).
/// Throws on infinite rewards, on numbers of groups or weights that do not fit, and on what `validate` refuses.
at::Tensor group_advantages(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config = {});

/// What an estimator may read beside the batch. B completions, F reward functions, M pairs of the batch; NaN = undefined.
struct RewardSignals {
  at::Tensor rewards = {};         // [B, F] or [B]; not read by process_supervision
  at::Tensor greedy_rewards = {};  // [B] the reward of the greedy completion of each one's prompt; needed by remax
  at::Tensor step_rewards = {};    // [M] at the last token of each step, NaN elsewhere; needed by process_supervision
  at::Tensor token_rewards = {};   // [M] added to the tokens' rewards, such as −beta · KL (`kl_penalty`); undefined: none
};

/// The advantages [M], float32 on the CPU, of a whole rollout (all ranks') by `config.advantage_estimator`, a built-in one: one number for
/// a completion's every token, or one per token. r = a completion's reward, k_s = token_rewards inside the mask:
///
/// - group, rloo, pass_at_k: `group_advantages` of r + Σ_s k_s. A penalty enters before the baseline, as in RLOO (arXiv 2402.14740).
/// - reinforce_plus_plus (arXiv 2501.03262): r + Σ_{s≥t} k_s, then whitened, (A − mean) / (std + 1e-4), over all tokens in the loss.
/// - reinforce_plus_plus_baseline: r + Σ_s k_s − mean of the group, then whitened likewise.
/// - remax (arXiv 2310.10505): r + Σ_{s≥t} k_s − r of the greedy completion.
/// - process_supervision (DeepSeekMath, arXiv 2402.03300, 4.1.3): Σ of the step rewards that end at t or later, each normalised by mean and
///   scale_rewards over all steps of the group.
///
/// Exactly 0, whatever whitening adds to the others, are: completions without a reward (or, remax, a baseline), groups of one scored
/// completion if the estimator compares within groups, and groups (remax: completions and baseline; reinforce_plus_plus: batches) whose
/// rewards are equal. Throws as `group_advantages` does, and if a needed signal is missing.
at::Tensor estimate_advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config = {});

/// What `algorithm.advantage_estimator` names. Subclass it and register it: `registry.add_advantage<Mine>("mine")`, constructed from its
/// `advantage_options` if it takes them.
class AdvantageEstimator {
 public:
  virtual ~AdvantageEstimator() = default;
  /// The advantages [M] of a whole rollout, all ranks': float32 on the CPU, finite, one per pair of `batch`. `config` has the weights of
  /// reward functions; `signals` what `needs` asks for, and token_rewards where the config puts the KL into the reward.
  virtual at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const = 0;
  /// Signals that cost something to have.
  struct Needs {
    bool greedy = false;  // greedy_rewards: a greedy completion per prompt
    bool steps = false;   // step_rewards: a reward function that judges steps
  };
  virtual Needs needs() const { return {}; }
};

/// Whether rewards differ by more than rounding: at least two of them are defined (not NaN), and the largest and the smallest of those are
/// further apart than 1e-6 of their size. This is what «equal rewards» means everywhere.
bool rewards_vary(std::span<const double> rewards);

/// TRL's reward metrics; NaN if fewer than one (means) or two (deviations) scores are defined.
struct RewardStatistics {
  std::vector<double> function_mean;  // rewards/{function}/mean, over the batch
  std::vector<double> function_std;   // rewards/{function}/std
  double reward = 0;                  // mean weighted sum
  double reward_std = 0;              // its deviation over the batch
  double frac_reward_zero_std = 0;    // share of completions whose advantage is divided by a deviation of zero, or whose group is constant
};
RewardStatistics reward_statistics(const at::Tensor& rewards, const std::vector<int64_t>& groups, const AdvantageConfig& config = {});

}  // namespace grpo
