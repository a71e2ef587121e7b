#include "surrogate.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>

#include <cmath>

#include "grpo/core/error.h"

namespace grpo {
namespace {

void add_clip_metrics(const SurrogateInput& in, const at::Tensor& low, const at::Tensor& high, MetricList& metrics) {
  const auto level = in.config.importance_sampling_level;
  const auto by_sequence = [&](const at::Tensor& values) -> Chosen {
    if (level != ImportanceSamplingLevel::kToken) return at_level(in.pairs, values, level);
    return {in.pairs.loss_mean(values), in.pairs.loss_lengths() > 0};
  };
  metrics.add("clip_ratio/low_mean", Tally::Kind::kMean, at_level(in.pairs, low, level));
  metrics.add("clip_ratio/low_min", Tally::Kind::kMin, by_sequence(low));
  metrics.add("clip_ratio/high_mean", Tally::Kind::kMean, at_level(in.pairs, high, level));
  metrics.add("clip_ratio/high_max", Tally::Kind::kMax, by_sequence(high));
  metrics.add("clip_ratio/region_mean", Tally::Kind::kMean, at_level(in.pairs, low + high, level));
}

at::Tensor to_numbers(const at::Tensor& flags, const at::Tensor& like) { return flags.to(like.scalar_type()); }

/// −min(min(r, delta) A, clip(r, 1 − epsilon, 1 + epsilon_high) A): PPO (arXiv 1707.06347) with separate bounds (DAPO, arXiv 2503.14476).
at::Tensor clip_loss(const SurrogateInput& in, MetricList& metrics) {
  const double lower = 1 - in.config.epsilon, upper = 1 + in.config.epsilon_high.value_or(in.config.epsilon);
  const at::Tensor ratio = in.config.delta ? in.ratio.clamp_max(*in.config.delta) : in.ratio;
  const ClippedTokens clipped = clipped_tokens(ratio, in.advantages, in.config);
  add_clip_metrics(in, to_numbers(clipped.low, ratio), to_numbers(clipped.high, ratio), metrics);
  return -at::minimum(ratio * in.advantages, in.ratio.clamp(lower, upper) * in.advantages);
}

/// −sg(min(r, epsilon_high)) A log p (CISPO, MiniMax-M1, arXiv 2506.13585; the cap as ScaleRL states it, arXiv 2510.13786).
at::Tensor cispo_loss(const SurrogateInput& in, MetricList& metrics) {
  const double cap = in.config.epsilon_high.value();
  const at::Tensor ratio = in.ratio.detach();
  metrics.add(
      "cispo_clip_ratio", Tally::Kind::kMean,
      at_level(in.pairs, (ratio > cap).logical_and(in.advantages > 0).to(ratio.scalar_type()), in.config.importance_sampling_level));
  return -ratio.clamp_max(cap) * in.advantages * in.logprobs;
}

/// −(4 / τ) σ(τ (r − 1)) A, τ by the sign of A (SAPO, arXiv 2511.20347).
at::Tensor sapo_loss(const SurrogateInput& in) {
  const at::Tensor temperature = at::where(in.advantages > 0, at::full({}, in.config.sapo_temperature_pos, in.ratio.options()),
                                           at::full({}, in.config.sapo_temperature_neg, in.ratio.options()));
  return -at::sigmoid(temperature * (in.ratio - 1)) * 4 / temperature * in.advantages;
}

/// −φ A log p, φ = exp(λ + k q − λ e^q), q = the sequence's summed log-ratio to the sampler, k and λ by the sign of A. Detached.
/// VESPO as TRL has it; the sampler's correction is part of q.
at::Tensor vespo_loss(const SurrogateInput& in, MetricList& metrics) {
  const double min_log = std::log(1e-8);
  at::Tensor log_weight = in.pairs.sum(in.log_ratio.detach().clamp(-kMaxLogRatio, kMaxLogRatio));
  if (in.sampler_ratio.defined()) {
    const at::Tensor log_sampler = in.sampler_ratio.log().clamp(min_log, kMaxLogRatio);
    log_weight = log_weight + (is_sequence_mode(in.config.importance_sampling_mode) ? log_sampler : in.pairs.sum(log_sampler));
  }
  const at::Tensor q = in.pairs.spread(log_weight.clamp(min_log, kMaxLogRatio));
  const auto by_sign = [&](double positive, double negative) {
    return at::where(in.advantages >= 0, at::full({}, positive, q.options()), at::full({}, negative, q.options()));
  };
  const at::Tensor k = by_sign(in.config.vespo_k_pos, in.config.vespo_k_neg);
  const at::Tensor lambda = by_sign(in.config.vespo_lambda_pos, in.config.vespo_lambda_neg);
  const at::Tensor phi = (lambda + k * q - lambda * q.exp()).exp();
  metrics.add("vespo/phi_seq_mean", Tally::Kind::kMean, at_level(in.pairs, phi, ImportanceSamplingLevel::kSequence));
  return -phi * in.advantages * in.logprobs;
}

/// −s A, s = exp(mean of c over the sequence's tokens in the loss), c = min(d, clamp(d, −epsilon, epsilon_high)) where A > 0, else the same
/// with max, d = log-ratio (GMPO, arXiv 2507.20673): clipped before averaging, so one token cannot take the sequence out.
at::Tensor gmpo_loss(const SurrogateInput& in, MetricList& metrics) {
  const at::Tensor bounded = in.log_ratio.clamp(-in.config.epsilon, in.config.epsilon_high.value_or(in.config.epsilon));
  const at::Tensor clipped = at::where(in.advantages > 0, at::minimum(in.log_ratio, bounded), at::maximum(in.log_ratio, bounded));
  const auto held = [&](const at::Tensor& side) {
    return to_numbers(side.logical_and(clipped.detach() != in.log_ratio.detach()), in.ratio);
  };
  add_clip_metrics(in, held(in.advantages <= 0), held(in.advantages > 0), metrics);
  return -ratio_at(ImportanceSamplingLevel::kSequence, clipped, in.pairs) * in.advantages;
}

/// −A log p (Williams 1992).
at::Tensor reinforce_loss(const SurrogateInput& in) { return -in.advantages * in.logprobs; }

/// The clipped term without the tokens drawn by clip_cov (arXiv 2505.22617): not clipped already, covariance between the bounds,
/// and drawn at or below the threshold that gives the step its number.
at::Tensor clip_cov_loss(const SurrogateInput& in, MetricList& metrics) {
  const CovarianceStatistics& statistics = *in.normalizer.covariance;
  const at::Tensor covariance = token_covariance(in.advantages, in.logprobs, statistics);
  const ClippedTokens clipped = clipped_tokens(in.ratio, in.advantages, in.config);
  const at::Tensor dropped = (covariance > in.config.clip_cov_min)
                                 .logical_and(covariance < in.config.clip_cov_max)
                                 .logical_and(in.draws <= statistics.threshold)
                                 .logical_and(clipped.low.logical_or(clipped.high).logical_not());
  metrics.add("clip_cov_ratio", Tally::Kind::kMean, {to_numbers(dropped, in.ratio), in.pairs.in_loss()});
  return clip_loss(in, metrics) * dropped.logical_not();
}

/// −r A, + kl_cov_coef |log r| on the tokens of highest covariance (arXiv 2505.22617).
at::Tensor kl_cov_loss(const SurrogateInput& in, MetricList& metrics) {
  const CovarianceStatistics& statistics = *in.normalizer.covariance;
  const at::Tensor held = token_covariance(in.advantages, in.logprobs, statistics) >= statistics.threshold;
  metrics.add("kl_cov_ratio", Tally::Kind::kMean, {to_numbers(held, in.ratio), in.pairs.in_loss()});
  return -in.ratio * in.advantages + in.config.kl_cov_coef * in.log_ratio.abs() * held;
}

}  // namespace

at::Tensor ratio_at(ImportanceSamplingLevel level, const at::Tensor& log_ratio, const TokenTensors& pairs) {
  const auto bounded_exp = [](const at::Tensor& values) { return values.clamp(-kMaxLogRatio, kMaxLogRatio).exp(); };
  switch (level) {
    case ImportanceSamplingLevel::kToken:
      return bounded_exp(log_ratio);
    case ImportanceSamplingLevel::kSequence:
      return bounded_exp(pairs.spread(pairs.loss_mean(log_ratio)));
    case ImportanceSamplingLevel::kSequenceToken:
      return bounded_exp(pairs.spread(pairs.loss_mean(log_ratio.detach())) + (log_ratio - log_ratio.detach()));
    case ImportanceSamplingLevel::kSequenceSum:
      return bounded_exp(pairs.spread(pairs.sum(log_ratio)));
  }
  fail("policy_loss", "expected a known importance_sampling_level; got another value");
}

ClippedTokens clipped_tokens(const at::Tensor& ratio, const at::Tensor& advantages, const LossConfig& config) {
  const at::Tensor bounded = ratio.detach();
  return {.low = (bounded < 1 - config.epsilon).logical_and(advantages < 0),
          .high = (bounded > 1 + config.epsilon_high.value_or(config.epsilon)).logical_and(advantages > 0)};
}

at::Tensor token_covariance(const at::Tensor& advantages, const at::Tensor& logprobs, const CovarianceStatistics& statistics) {
  return (advantages - statistics.advantage_mean) * (logprobs.detach() - statistics.logprob_mean);
}

at::Tensor surrogate_loss(Surrogate surrogate, const SurrogateInput& input, MetricList& metrics) {
  switch (surrogate) {
    case Surrogate::kClip:
      return clip_loss(input, metrics);
    case Surrogate::kCispo:
      return cispo_loss(input, metrics);
    case Surrogate::kSapo:
      return sapo_loss(input);
    case Surrogate::kVespo:
      return vespo_loss(input, metrics);
    case Surrogate::kGmpo:
      return gmpo_loss(input, metrics);
    case Surrogate::kReinforce:
      return reinforce_loss(input);
    case Surrogate::kClipCov:
      return clip_cov_loss(input, metrics);
    case Surrogate::kKlCov:
      return kl_cov_loss(input, metrics);
  }
  fail("surrogate_loss", "expected a known surrogate; got another value");
}

}  // namespace grpo
