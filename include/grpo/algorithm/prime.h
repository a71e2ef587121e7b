#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/objective_config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// PRIME's implicit process reward of each token, prime_beta · (log p of the reward model − log p of the reference), [M]
/// (arXiv 2502.01456). Shape: equal. Grad: `logprobs`.
at::Tensor implicit_process_rewards(const at::Tensor& logprobs, const at::Tensor& ref_logprobs, double prime_beta);

/// The reward model's online loss (same paper): cross-entropy of σ(Σ_t implicit reward over the tokens in the loss) with the outcomes,
/// summed over the batch's sequences and divided by the normaliser's. `logprobs` [M] of the reward model, grad; `batch.ref_logprobs` of its
/// reference; `outcomes` [S] in [0, 1], NaN = unknown: left out. Metrics: prime/loss, prime/accuracy (of σ > ½ against outcome > ½).
LossOutput prime_loss(const at::Tensor& logprobs, const at::Tensor& outcomes, const Batch& batch, const LossNormalizer& normalizer,
                      const PrimeConfig& config = {});

/// Advantages [M], float32 on the CPU, of process rewards r [M] and outcomes o [S] of a whole rollout; K completions of a prompt.
///
/// - paper, Eq. 5: A_t = Σ_{s≥t} gamma^{s−t} (r_s − mean over the others j of mean_t r^j_t) + o − mean of the others' o.
/// - repository (of its authors, at 18ad596f): r / max |Σ_{s≥t} r_s| over the batch; Σ_{s≥t} (K/(K−1) r_s − Σ_j mean_t r^j_t / (K−1)), j =
/// i
///   included; + o − mean of the others' o; the sum whitened over the batch's tokens. No gamma.
///
/// Completions of unknown outcome (NaN), or whose group has no other of a known one, have advantage 0 and are nobody's baseline.
at::Tensor prime_advantages(const at::Tensor& process_rewards, const at::Tensor& outcomes, const Batch& batch,
                            const PrimeConfig& config = {});

}  // namespace grpo
