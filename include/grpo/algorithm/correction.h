#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// The bounded ratio exp(old − sampling) that corrects for a sampler other than the trained policy: [M] for token modes, [S] for sequence
/// modes, detached. An unknown sampling log-prob counts as a ratio of 1; so does a pair outside the mask.
/// `old_logprobs` [M], nats. Truncated importance sampling: Yao et al., "Your efficient RL framework secretly brings you off-policy RL
/// training", 2025.
at::Tensor importance_sampling_ratio(const at::Tensor& old_logprobs, const Batch& batch, const LossConfig& config);

/// 0 for the sequences that `config.rejection_mode` leaves out, 1 for the others, [S], detached: verl's rejection by the geometric mean of
/// the ratios, or by the k1 or k3 estimate of the KL from the sampler to the policy. Means over the tokens in the loss, so that length does
/// not decide. An unknown sampling log-prob counts as a ratio of 1. `old_logprobs` [M], nats.
at::Tensor acceptance(const at::Tensor& old_logprobs, const Batch& batch, const LossConfig& config);

}  // namespace grpo
