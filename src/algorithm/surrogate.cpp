#include "surrogate.h"

#include <ATen/ATen.h>

#include <cmath>

#include "grpo/core/error.h"

namespace grpo {
namespace {

void add_clip_metrics(const SurrogateInput& in, const at::Tensor& low, const at::Tensor& high, MetricList& metrics) {
  const auto level = in.config.importance_sampling_level;
  const auto by_sequence = [&](const at::Tensor& values) -> Chosen {
    if (level == ImportanceSamplingLevel::kSequence) return at_level(in.pairs, values, level);
    return {in.pairs.loss_mean(values), in.pairs.loss_lengths() > 0};
  };
  metrics.add("clip_ratio/low_mean", Tally::Kind::kMean, at_level(in.pairs, low, level));
  metrics.add("clip_ratio/low_min", Tally::Kind::kMin, by_sequence(low));
  metrics.add("clip_ratio/high_mean", Tally::Kind::kMean, at_level(in.pairs, high, level));
  metrics.add("clip_ratio/high_max", Tally::Kind::kMax, by_sequence(high));
  metrics.add("clip_ratio/region_mean", Tally::Kind::kMean, at_level(in.pairs, low + high, level));
}

/// −min(min(r, delta) A, clip(r, 1 − epsilon, 1 + epsilon_high) A): PPO (arXiv 1707.06347) with separate bounds (DAPO, arXiv 2503.14476).
at::Tensor clip_loss(const SurrogateInput& in, MetricList& metrics) {
  const double lower = 1 - in.config.epsilon, upper = 1 + in.config.epsilon_high.value_or(in.config.epsilon);
  const at::Tensor ratio = in.config.delta ? in.ratio.clamp_max(*in.config.delta) : in.ratio;
  const at::Tensor bounded = ratio.detach();
  const auto both = [&](const at::Tensor& a, const at::Tensor& b) { return a.logical_and(b).to(ratio.scalar_type()); };
  add_clip_metrics(in, both(bounded < lower, in.advantages < 0), both(bounded > upper, in.advantages > 0), metrics);
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

}  // namespace

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
  }
  fail("surrogate_loss", "expected a known surrogate; got another value");
}

}  // namespace grpo
