#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// Per-token estimates of KL(policy ‖ reference) in nats, x = ref − logprob (Schulman, "Approximating KL divergence", 2020):
/// k1 = −x, k2 = x²/2, k3 = eˣ − x − 1, abs = |x|. Beyond x = 20, k3 goes on along its tangent: finite, and still pulling back. k1+ and k3+
/// (straight-through, as verl has them) have the value of k1 and k3 and the gradient of k2.
///
/// On samples of the policy itself k1 and k3 have the right mean; as a loss, k2, k1+ and k3+ have the gradient of KL(policy ‖ reference),
/// k3 that of KL(reference ‖ policy), abs that of twice the total variation distance, k1 none, and ratio · k1 or ratio · k3, the ratio not
/// detached, that of KL(policy ‖ reference).
///
/// Shape: all equal. Grad: `logprobs`.
at::Tensor kl_estimate(KlEstimator estimator, const at::Tensor& logprobs, const at::Tensor& ref_logprobs);

/// −beta · k1 of each token, [M] float32, 0 outside the mask: token rewards whose policy gradient is that of −beta · KL(policy ‖ reference)
/// of whole sequences. The policy's log-probs are `old_logprobs`, or if there are none, those that the sampler recorded (an unknown one
/// costs nothing). Throws if the batch has neither or no reference log-probs.
at::Tensor kl_penalty(const Batch& batch, double beta);

}  // namespace grpo
