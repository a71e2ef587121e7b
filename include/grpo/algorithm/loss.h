#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/config.h"
#include "grpo/algorithm/policy_term.h"
#include "grpo/algorithm/tally.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// Of a step's tokens in the loss, for the losses that choose by (A − mean A) (log p − mean log p).
struct CovarianceStatistics {
  double advantage_mean = 0;
  double logprob_mean = 0;
  double threshold = 0;  // kl_cov: smallest covariance that is held back; clip_cov: largest draw that is left out
};

/// What losses are divided by: figures of the whole optimiser step, over all its micro-batches and ranks, so that the gradients of the
/// micro-batches add up to that of the step however it is cut. With gradients summed over ranks, sum `tokens`, `sequences` and
/// `entropy_tokens` over them first.
struct LossNormalizer {
  double tokens = 0;                                       // in the loss
  double sequences = 0;                                    // masked ones included
  double max_completion_length = 0;                        // the constant of dr_grpo
  double micro_batches = 1;                                // for losses of micro-batch scope (bnpo), which are averaged
  double entropy_tokens = 0;                               // that the entropy bonus averages over
  std::optional<double> entropy_threshold = std::nullopt;  // nats: smallest entropy of a kept token; needed if top_entropy_quantile < 1
  std::optional<CovarianceStatistics> covariance = std::nullopt;  // needed by clip_cov and kl_cov
};

/// The normaliser of one optimiser step whose sequences are all in `step`.
LossNormalizer loss_normalizer(const Batch& step, int64_t max_completion_length);

/// Fills entropy_threshold and entropy_tokens from the entropies [M] of the whole step, found without gradient: the threshold is the
/// (1 − quantile) quantile, linearly interpolated, of those with mask 1.
void set_entropy_threshold(LossNormalizer& normalizer, const at::Tensor& entropy, const at::Tensor& mask, double top_entropy_quantile);

/// What clip_cov and kl_cov choose by, of a part of a step: [K, 3] in the log-probs' dtype, a row (advantage, log-prob, draw) for each
/// token in the loss; the draw is infinite if the clip holds the token already. `logprobs` [M], found without gradient.
at::Tensor covariance_tokens(const at::Tensor& logprobs, const Batch& part, const LossConfig& config);

/// Fills `covariance` from the tokens [K, 3] of the whole step: `covariance_tokens` of all parts and ranks.
void set_covariance(LossNormalizer& normalizer, const at::Tensor& tokens, const LossConfig& config);

struct LossOutput {
  at::Tensor loss;  // scalar; the losses of a step's micro-batches add up to the step's
  Tallies metrics;
};

/// The policy objective of a micro-batch:
///
///   loss = Σ w (sampler ratio · masks · surrogate + beta · KL) − entropy_coef · Σ entropy / entropy_tokens
///
/// surrogate and token weight w as the row of `config.loss_type` says. Log-ratios are clamped to ±20 before exp; pairs outside the mask get
/// a gradient of exactly 0, whatever stands there. An adaptive entropy coefficient is applied by its owner: pass `AdaptiveEntropy::applied`
/// as entropy_coef.
///
/// With use_kl_in_reward the KL is part of the advantages, not of the loss. `custom` takes the place of the row's surrogate; it goes
/// with `config.custom_loss`, the name under which a registry made it.
///
/// Shape: logprobs, entropy [M]; entropy may be undefined if neither bonus nor quantile is asked for. Dtype: float32 or float64, which
/// is that of the arithmetic. Units: nats. Grad: logprobs, and entropy through the bonus alone.
/// Throws on tensors that do not fit and on what `validate` refuses.
LossOutput policy_loss(const at::Tensor& logprobs, const at::Tensor& entropy, const Batch& batch, const LossNormalizer& normalizer,
                       const LossConfig& config = {}, const PolicyTerm* custom = nullptr);

}  // namespace grpo
