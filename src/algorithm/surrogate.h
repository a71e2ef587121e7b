#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/config.h"
#include "metric_list.h"
#include "pairs.h"

namespace grpo {

/// Log-ratios are clamped to ± this before exp.
inline constexpr double kMaxLogRatio = 20.0;

inline bool is_sequence_mode(CorrectionMode mode) {
  return mode == CorrectionMode::kSequenceTruncate || mode == CorrectionMode::kSequenceMask;
}

/// What a surrogate is made of; all [M] and 0 outside the mask.
struct SurrogateInput {
  const Pairs& pairs;
  const LossConfig& config;
  at::Tensor logprobs;
  at::Tensor log_ratio;  // per token, logprob − old
  at::Tensor ratio;      // at the config's level
  at::Tensor advantages;
  at::Tensor sampler_ratio;  // [M] or [S]; undefined without correction
};

/// The policy term of each pair, [M], before masks, sampler ratio and KL; adds the surrogate's metrics. Grad: through logprobs.
at::Tensor surrogate_loss(Surrogate surrogate, const SurrogateInput& input, MetricList& metrics);

}  // namespace grpo
