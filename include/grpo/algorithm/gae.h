#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/objective_config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

struct GaeOutput {
  at::Tensor advantages;  // [M] float32 on the CPU, whitened if the config says so
  at::Tensor returns;     // [M] what the critic learns, before any whitening; NaN if a reward is undefined
};

/// Generalised advantage estimation (Schulman et al., arXiv 1506.02438, eq. 16): with δ_t = R_t + gamma V_{t+1} − V_t and V = 0 after the
/// end, A_t = δ_t + gamma lambda A_{t+1} and return_t = V_t + the same with lambda_value. `rewards` and `values` are [M]; V_t is read if
/// token t is predicted. Tokens outside the mask (a tool's) are passed over: they have advantage 0, and the value after one is that of the
/// next token in the loss. A sequence with an undefined (NaN) reward has advantages 0 and stays out of the whitening.
GaeOutput gae(const at::Tensor& rewards, const at::Tensor& values, const Batch& batch, const GaeConfig& config = {});

/// Token rewards [M]: each completion's reward [B] on its last token in the loss, 0 elsewhere, plus `token_rewards` [M] (undefined: none).
at::Tensor outcome_rewards(const at::Tensor& rewards, const Batch& batch, const at::Tensor& token_rewards = {});

/// The critic's loss, Σ ½ max((V − R)², (clip(V, V_old ± cliprange_value) − R)²) / tokens of the normaliser, over the tokens in the loss
/// whose return is defined (PPO, with the value clipping of its authors' code). `values` [M], grad; `old_values`, `returns` [M].
LossOutput value_loss(const at::Tensor& values, const at::Tensor& old_values, const at::Tensor& returns, const Batch& batch,
                      const LossNormalizer& normalizer, const GaeConfig& config = {});

}  // namespace grpo
