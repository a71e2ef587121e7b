#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/config.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/policy_term.h"
#include "metric_list.h"
#include "token_tensors.h"

namespace grpo {

/// Log-ratios are clamped to ± this before exp.
inline constexpr double kMaxLogRatio = 20.0;

inline bool is_sequence_mode(CorrectionMode mode) {
  return mode == CorrectionMode::kSequenceTruncate || mode == CorrectionMode::kSequenceMask;
}

/// What a built-in surrogate is made of.
struct SurrogateInput : PolicyTermInput {
  const TokenTensors& pairs;
  const LossNormalizer& normalizer;
  at::Tensor sampler_ratio;  // [M] or [S]; undefined without correction
  at::Tensor draws;          // [M] as the batch has them
};

/// The ratio at a level from the tokens' log-ratios [M], which are 0 outside the mask. Grad: through log_ratio.
at::Tensor ratio_at(ImportanceSamplingLevel level, const at::Tensor& log_ratio, const TokenTensors& pairs);

/// Whether PPO's clip holds the token: [M] bool, below at 1 − epsilon for negative, above at 1 + epsilon_high for positive advantages.
struct ClippedTokens {
  at::Tensor low, high;
};
ClippedTokens clipped_tokens(const at::Tensor& ratio, const at::Tensor& advantages, const LossConfig& config);

/// (A − mean A) (log p − mean log p) of each token (arXiv 2505.22617), detached, [M].
at::Tensor token_covariance(const at::Tensor& advantages, const at::Tensor& logprobs, const CovarianceStatistics& statistics);

/// The policy term of each pair, [M], before masks, sampler ratio and KL; adds the surrogate's metrics. Grad: through logprobs.
at::Tensor surrogate_loss(Surrogate surrogate, const SurrogateInput& input, MetricList& metrics);

}  // namespace grpo
