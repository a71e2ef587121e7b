#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/config.h"

namespace grpo {

/// Per-token estimates of KL(policy ‖ reference) in nats, x = ref − logprob (Schulman, "Approximating KL divergence", 2020):
/// k1 = −x, k2 = x²/2, k3 = eˣ − x − 1. Beyond x = 20, k3 goes on along its tangent: finite, and still pulling back.
///
/// On samples of the policy itself k1 and k3 have the right mean; as a loss, k2 has the gradient of KL(policy ‖ reference), k3 that of
/// KL(reference ‖ policy), k1 none, and ratio · k1 or ratio · k3, the ratio not detached, that of KL(policy ‖ reference).
///
/// Shape: all equal. Grad: `logprobs`.
at::Tensor kl_estimate(KlEstimator estimator, const at::Tensor& logprobs, const at::Tensor& ref_logprobs);

}  // namespace grpo
