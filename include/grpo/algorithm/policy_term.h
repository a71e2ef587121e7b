#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// What a policy term is made of. All tensors are [M], one number per (row, target) pair, in the log-probs' dtype and 0 outside the mask.
struct PolicyTermInput {
  const LossConfig& config;
  at::Tensor logprobs;    // nats, of the trained policy. Grad
  at::Tensor log_ratio;   // logprob − old logprob of each token, not clamped. Grad
  at::Tensor ratio;       // at config.importance_sampling_level, its logarithm clamped to ±20. Grad
  at::Tensor advantages;  //
  at::Tensor mask;        // 1 = in the loss
};

/// A policy term of your own: what one token adds to the loss, before the library applies masks, sampler ratio, KL, token weights and the
/// entropy bonus. `registry.add_loss<MyTerm>("mine")` gives it a name and `"custom_loss": "mine"` in a config uses it; without a trainer,
/// hand it to `policy_loss`.
class PolicyTerm {
 public:
  virtual ~PolicyTerm() = default;
  /// The (negated) term of each pair, [M]; finite outside the mask too. A term of single tokens, or of whole sequences' figures in `input`,
  /// gives the same gradient however a step is cut into micro-batches.
  virtual at::Tensor loss(const PolicyTermInput& input) const = 0;
};

}  // namespace grpo
