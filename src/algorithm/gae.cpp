#include "grpo/algorithm/gae.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "grpo/core/error.h"
#include "host_tokens.h"
#include "metric_list.h"

namespace grpo {
namespace {

/// A_t of every token by one backward scan; lambda per sequence, [S].
Values scan(const Values& rewards, const Values& values, const HostTokens& tokens, double gamma, const Values& lambda) {
  Values advantages(tokens.size(), 0.0);
  double next_value = 0, next_advantage = 0;
  for (size_t t = tokens.size(); t-- > 0;) {
    if (t + 1 < tokens.size() && tokens.sample_of[t] != tokens.sample_of[t + 1]) next_value = next_advantage = 0;
    if (!tokens.in_loss(t)) continue;
    const double delta = rewards[t] + gamma * next_value - values[t];
    advantages[t] = next_advantage = delta + gamma * lambda[tokens.sample_of[t]] * next_advantage;
    next_value = values[t];
  }
  return advantages;
}

/// NaN for all tokens of a sequence with an undefined reward, so that it enters no statistic.
void leave_out_undefined(Values& values, const Values& rewards, const HostTokens& tokens) {
  const Values totals = tokens.spread(tokens.sums(rewards));
  for (size_t t = 0; t < tokens.size(); ++t) {
    if (std::isnan(totals[t])) values[t] = std::numeric_limits<double>::quiet_NaN();
  }
}

}  // namespace

GaeOutput gae(const at::Tensor& rewards, const at::Tensor& values, const Batch& batch, const GaeConfig& config) try {
  const HostTokens tokens(batch);
  const Values r = tokens.numbers(rewards, "gae", "rewards"), v = tokens.numbers(values, "gae", "values");
  Values lambda(tokens.lengths.size(), config.lambda);
  if (config.lambda_length_alpha) {
    for (size_t s = 0; s < lambda.size(); ++s) {
      lambda[s] = std::max(0.0, 1 - 1 / (*config.lambda_length_alpha * std::max(tokens.lengths[s], 1.0)));
    }
  }
  Values advantages = scan(r, v, tokens, config.gamma, lambda);
  Values returns = plus(scan(r, v, tokens, config.gamma, Values(lambda.size(), config.lambda_value)), tokens.kept(v));
  leave_out_undefined(advantages, r, tokens);
  leave_out_undefined(returns, r, tokens);
  if (config.whiten_advantages) advantages = tokens.kept(tokens.whitened(std::move(advantages)));
  return {.advantages = defined_or_zero(std::move(advantages)), .returns = to_tensor(returns)};
} catch (...) {
  rethrow_as_error("gae");
}

at::Tensor outcome_rewards(const at::Tensor& rewards, const Batch& batch, const at::Tensor& token_rewards) try {
  const HostTokens tokens(batch);
  const Values outcomes = to_values(rewards);
  GRPO_CHECK(outcomes.size() == tokens.lengths.size(), "outcome_rewards", "expected one reward per completion; got another number");
  Values result = tokens.kept(tokens.numbers(token_rewards, "outcome_rewards", "token rewards", true));
  std::vector<bool> placed(outcomes.size(), false);
  for (size_t t = tokens.size(); t-- > 0;) {
    const size_t sample = tokens.sample_of[t];
    if (placed[sample] || !tokens.in_loss(t)) continue;
    result[t] += outcomes[sample];
    placed[sample] = true;
  }
  return to_tensor(result);
} catch (...) {
  rethrow_as_error("outcome_rewards");
}

LossOutput value_loss(const at::Tensor& values, const at::Tensor& old_values, const at::Tensor& returns, const Batch& batch,
                      const LossNormalizer& normalizer, const GaeConfig& config) try {
  for (const at::Tensor* tensor : {&values, &old_values, &returns}) {
    GRPO_CHECK(tensor->defined() && tensor->dim() == 1 && tensor->size(0) == batch.num_pairs(), "value_loss",
               "expected values, old values and returns [" + std::to_string(batch.num_pairs()) + "]; got none or others");
  }
  const TokenTensors pairs(batch, values.options());
  const at::Tensor counted = pairs.in_loss().logical_and(returns.to(values.device()).isnan().logical_not());
  const at::Tensor zero = at::zeros({}, values.options());
  const auto keep = [&](const at::Tensor& tensor) { return at::where(counted, tensor.to(values.options()), zero); };
  const at::Tensor current = keep(values), old = keep(old_values), target = keep(returns);
  at::Tensor error = (current - target).square();
  MetricList metrics;
  if (config.cliprange_value) {
    const at::Tensor bounded = at::minimum(at::maximum(current, old - *config.cliprange_value), old + *config.cliprange_value);
    const at::Tensor clipped = (bounded - target).square();
    metrics.add("value/clip_ratio", Tally::Kind::kMean, {(clipped > error).to(values.scalar_type()), counted});
    error = at::maximum(error, clipped);
  }
  metrics.add("value/loss", Tally::Kind::kMean, {0.5 * error, counted});
  metrics.add("value/mean", Tally::Kind::kMean, {current, counted});
  metrics.add("value/return", Tally::Kind::kMean, {target, counted});
  return {.loss = 0.5 * error.sum() / std::max(normalizer.tokens, 1.0), .metrics = metrics.read()};
} catch (...) {
  rethrow_as_error("value_loss");
}

}  // namespace grpo
