#include "grpo/algorithm/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "grpo/algorithm/correction.h"
#include "grpo/algorithm/kl.h"
#include "grpo/core/error.h"
#include "metric_list.h"
#include "surrogate.h"
#include "token_tensors.h"

namespace grpo {
namespace {

constexpr auto kLossWhere = "policy_loss";

void check_inputs(const at::Tensor& logprobs, const at::Tensor& entropy, const Batch& batch, const LossNormalizer& normalizer,
                  const LossConfig& config, const PolicyTerm* custom) {
  validate(config);
  const int64_t count = batch.num_pairs();
  const auto fits = [&](const at::Tensor& tensor) {
    return tensor.defined() && tensor.dim() == 1 && tensor.size(0) == count && tensor.device() == logprobs.device();
  };
  const auto require = [&](bool given, const std::string& what) {
    GRPO_CHECK(given, kLossWhere, "expected " + what + " [" + std::to_string(count) + "] on the log-probs' device; got none or others");
  };
  require(logprobs.defined() && fits(logprobs), "log-probs");
  GRPO_CHECK(logprobs.scalar_type() == at::kFloat || logprobs.scalar_type() == at::kDouble, kLossWhere,
             "expected float32 or float64 log-probs; got " + logprobs.toString());
  require(fits(batch.advantages), "advantages");
  require(fits(batch.mask), "a mask");
  require(!batch.old_logprobs.defined() || fits(batch.old_logprobs), "old log-probs");
  require(!batch.sampling_logprobs.defined() || fits(batch.sampling_logprobs), "sampling log-probs");
  require(config.beta == 0.0 || config.use_kl_in_reward || fits(batch.ref_logprobs), "reference log-probs, as beta is not 0,");
  const bool select_entropy = config.top_entropy_quantile < 1.0;
  require((entropy.defined() || (!select_entropy && config.entropy_coef == 0.0 && !config.use_adaptive_entropy)) &&
              (!entropy.defined() || fits(entropy)),
          "entropies");
  const Surrogate surrogate = loss_row(config.loss_type).surrogate;
  GRPO_CHECK(!needs_covariance(surrogate) || normalizer.covariance, kLossWhere,
             "expected LossNormalizer::covariance with loss_type clip_cov and kl_cov; got none (see set_covariance)");
  require(surrogate != Surrogate::kClipCov || fits(batch.draws), "draws, as loss_type is clip_cov,");
  GRPO_CHECK(config.custom_loss.empty() == (custom == nullptr), kLossWhere,
             "expected a policy term for custom_loss '" + config.custom_loss + "', and none without; got the contrary");
  GRPO_CHECK(!select_entropy || normalizer.entropy_threshold, kLossWhere,
             "expected LossNormalizer::entropy_threshold, as top_entropy_quantile is below 1; got none (see set_entropy_threshold)");
}

/// w of each pair, 0 outside the mask, so that a surrogate need not be 0 there.
at::Tensor token_weights(const TokenTensors& pairs, const LossNormalizer& normalizer, const LossRow& row) {
  const double sequences = std::max(normalizer.sequences, 1.0);
  switch (row.aggregation) {
    case Aggregation::kSequenceMean:
      return pairs.mask() / (pairs.spread(pairs.loss_lengths().clamp_min(1)) * sequences);
    case Aggregation::kTokenMean:
      if (row.scope == LossScope::kMicroBatch) return pairs.mask() / (pairs.mask().sum().clamp_min(1) * normalizer.micro_batches);
      return pairs.mask() / std::max(normalizer.tokens, 1.0);
    case Aggregation::kSequenceSum:
      return pairs.mask() / sequences;
    case Aggregation::kConstantLength:
      GRPO_CHECK(normalizer.max_completion_length > 0, kLossWhere, "expected LossNormalizer::max_completion_length above 0; got none");
      return pairs.mask() / (sequences * normalizer.max_completion_length);
  }
  fail(kLossWhere, "expected a known aggregation; got another value");
}

/// 0 for sequences of negative advantage that the sampler liked better than the policy does, by more than the threshold per token
/// (DeepSeek-V3.2, arXiv 2512.02556).
at::Tensor off_policy_mask(const SurrogateInput& in, const Batch& batch, const at::Tensor& old) {
  at::Tensor drift = (batch.sampling_logprobs.defined() ? batch.sampling_logprobs.to(old.scalar_type()) : old) - in.logprobs.detach();
  drift = in.pairs.keep(at::where(drift.isnan(), at::zeros({}, drift.options()), drift));
  const at::Tensor near = in.pairs.spread(in.pairs.loss_mean(drift)) <= in.config.off_policy_mask_threshold.value();
  return near.logical_or(in.advantages >= 0).to(in.ratio.scalar_type());
}

void add_sampling_metrics(const SurrogateInput& in, const Batch& batch, const at::Tensor& old, MetricList& metrics) {
  const at::Tensor sampling = batch.sampling_logprobs.to(old.scalar_type());
  const Chosen difference{(old - sampling).abs(), in.pairs.in_loss().logical_and(sampling.isnan().logical_not())};
  metrics.add("sampling/sampling_logp_difference/mean", Tally::Kind::kMean, difference);
  metrics.add("sampling/sampling_logp_difference/max", Tally::Kind::kMax, difference);
  if (!in.sampler_ratio.defined()) return;
  const bool by_sequence = is_sequence_mode(in.config.importance_sampling_mode);
  const Chosen ratio{in.sampler_ratio, by_sequence ? at::ones_like(in.sampler_ratio, at::kBool) : in.pairs.in_loss()};
  metrics.add("sampling/importance_sampling_ratio/min", Tally::Kind::kMin, ratio);
  metrics.add("sampling/importance_sampling_ratio/mean", Tally::Kind::kMean, ratio);
  metrics.add("sampling/importance_sampling_ratio/max", Tally::Kind::kMax, ratio);
}

/// Everything the surrogates read, in the log-probs' dtype and 0 outside the mask.
SurrogateInput surrogate_input(const TokenTensors& pairs, const at::Tensor& logprobs, const at::Tensor& old, const Batch& batch,
                               const LossNormalizer& normalizer, const LossConfig& config) {
  const at::Tensor log_ratio = logprobs - old;
  const bool corrected = config.importance_sampling_correction && batch.sampling_logprobs.defined();
  return {{.config = config,
           .logprobs = logprobs,
           .log_ratio = log_ratio,
           .ratio = ratio_at(config.importance_sampling_level, log_ratio, pairs),
           .advantages = pairs.keep(batch.advantages),
           .mask = pairs.mask()},
          pairs,
          normalizer,
          corrected ? importance_sampling_ratio(old, batch, config) : at::Tensor(),
          batch.draws};
}

/// What the KL to the reference adds to each pair.
at::Tensor kl_losses(const SurrogateInput& in, const Batch& batch, MetricList& metrics) {
  at::Tensor kl = kl_estimate(in.config.kl_estimator, in.logprobs, in.pairs.keep(batch.ref_logprobs));
  if (in.config.use_bias_correction_kl) kl = kl * in.ratio;
  metrics.add("kl", Tally::Kind::kMean, {kl, in.pairs.in_loss()});
  return in.config.beta * kl;
}

/// What a policy term of the user's gives, each pair one number. Whatever goes wrong in it is said with its name and shapes.
at::Tensor custom_losses(const PolicyTerm& custom, const SurrogateInput& in) {
  const std::string where = "loss " + in.config.custom_loss;
  const auto text_of = [](const at::Tensor& tensor) {
    std::ostringstream text;
    text << tensor.sizes() << " " << tensor.scalar_type();
    return text.str();
  };
  at::Tensor loss;
  try {
    loss = custom.loss(in);
  } catch (...) {
    rethrow_as_error(where + ", given tensors of " + text_of(in.mask));
  }
  GRPO_CHECK(loss.defined() && loss.sizes() == in.mask.sizes(), where,
             "expected one number per pair, " + text_of(in.mask) + "; got " + (loss.defined() ? text_of(loss) : "an undefined tensor"));
  return loss;
}

/// Masks, sampler ratio and KL around the policy term; `kept` [M] marks the tokens that the entropy quantile keeps.
at::Tensor pair_losses(const SurrogateInput& in, const PolicyTerm* custom, const Batch& batch, const at::Tensor& old,
                       const at::Tensor& kept, MetricList& metrics) {
  const Surrogate surrogate = loss_row(in.config.loss_type).surrogate;
  at::Tensor loss = custom != nullptr ? custom_losses(*custom, in) : surrogate_loss(surrogate, in, metrics);
  if (in.config.off_policy_mask_threshold) loss = loss * off_policy_mask(in, batch, old);
  if (in.config.rejection_mode != RejectionMode::kNone && batch.sampling_logprobs.defined()) {
    const at::Tensor accepted = acceptance(old, batch, in.config);
    metrics.add("sampling/rejected", Tally::Kind::kMean, {1 - accepted, at::ones_like(accepted, at::kBool)});
    loss = loss * in.pairs.spread(accepted);
  }
  if (in.config.top_entropy_quantile < 1.0) loss = loss * kept;
  if (in.sampler_ratio.defined() && surrogate != Surrogate::kVespo) {  // vespo has it in its own weight
    loss = loss * (is_sequence_mode(in.config.importance_sampling_mode) ? in.pairs.spread(in.sampler_ratio) : in.sampler_ratio);
  }
  if (in.config.beta != 0.0 && !in.config.use_kl_in_reward) loss = loss + kl_losses(in, batch, metrics);
  return loss;
}

}  // namespace

LossOutput policy_loss(const at::Tensor& logprobs, const at::Tensor& entropy, const Batch& batch, const LossNormalizer& normalizer,
                       const LossConfig& config, const PolicyTerm* custom) try {
  check_inputs(logprobs, entropy, batch, normalizer, config, custom);
  const LossRow& row = loss_row(config.loss_type);
  const TokenTensors pairs(batch, logprobs.options());
  MetricList metrics;
  const at::Tensor current = pairs.keep(logprobs);
  const at::Tensor old = batch.old_logprobs.defined() ? pairs.keep(batch.old_logprobs) : current.detach();
  const SurrogateInput input = surrogate_input(pairs, current, old, batch, normalizer, config);
  at::Tensor kept = pairs.mask();
  if (config.top_entropy_quantile < 1.0) kept = kept * (entropy.detach() >= *normalizer.entropy_threshold);

  at::Tensor loss = (pair_losses(input, custom, batch, old, kept, metrics) * token_weights(pairs, normalizer, row)).sum();
  if (batch.sampling_logprobs.defined()) add_sampling_metrics(input, batch, old, metrics);
  if (entropy.defined()) metrics.add("entropy", Tally::Kind::kMean, {entropy, pairs.in_loss()});
  if (config.entropy_coef != 0.0 || config.use_adaptive_entropy) {
    metrics.add("policy_loss", Tally::Kind::kSum, {loss, at::ones_like(loss, at::kBool)});
    metrics.add("bonus_entropy", Tally::Kind::kMean, {entropy, kept > 0});
    const at::Tensor bonus = (pairs.keep(entropy) * kept).sum() / std::max(normalizer.entropy_tokens, 1.0);
    loss = loss - config.entropy_coef * bonus;
  }
  return {.loss = loss, .metrics = metrics.read()};
} catch (...) {
  rethrow_as_error("policy_loss");
}

}  // namespace grpo
