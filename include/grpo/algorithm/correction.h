#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/config.h"

namespace grpo {

/// The bounded ratio exp(old − sampling) that corrects for a sampler other than the trained policy: [M] for token modes, [S] for sequence
/// modes, detached. An unknown sampling log-prob counts as a ratio of 1; so does a pair outside the mask.
/// `old_logprobs` [M], nats. Truncated importance sampling: Yao et al., "Your efficient RL framework secretly brings you off-policy RL
/// training", 2025.
at::Tensor importance_sampling_ratio(const at::Tensor& old_logprobs, const Batch& batch, const LossConfig& config);

}  // namespace grpo
