#include "grpo/algorithm/dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/ones_like.h>

#include <algorithm>

#include "grpo/core/error.h"
#include "metric_list.h"
#include "reward_scores.h"

namespace grpo {
namespace {

void check_pairs(const char* where, std::initializer_list<const at::Tensor*> tensors) {
  const at::Tensor& first = **tensors.begin();
  for (const at::Tensor* tensor : tensors) {
    GRPO_CHECK(tensor->defined() && tensor->dim() == 1 && tensor->sizes() == first.sizes(), where,
               "expected tensors [P], one number per pair; got none or others");
  }
}

void add_pair_metrics(MetricList& metrics, const at::Tensor& chosen, const at::Tensor& rejected) {
  const at::Tensor all = at::ones_like(chosen, at::kBool);
  metrics.add("rewards/margins", Tally::Kind::kMean, {chosen - rejected, all});
  metrics.add("rewards/accuracies", Tally::Kind::kMean, {(chosen > rejected).to(chosen.scalar_type()), all});
}

}  // namespace

at::Tensor sequence_logprobs(const at::Tensor& logprobs, const Batch& batch, bool average) try {
  GRPO_CHECK(logprobs.defined() && logprobs.dim() == 1 && logprobs.size(0) == batch.num_pairs(), "sequence_logprobs",
             "expected log-probs [M]; got none or others");
  const TokenTensors pairs(batch, logprobs.options());
  const at::Tensor kept = pairs.keep(logprobs);
  return average ? pairs.loss_mean(kept) : pairs.sum(kept);
} catch (...) {
  rethrow_as_error("sequence_logprobs");
}

std::vector<PreferencePair> preference_pairs(const at::Tensor& rewards, const std::vector<int64_t>& groups) try {
  const Values values = to_values(rewards);
  GRPO_CHECK(values.size() == groups.size(), "preference_pairs", "expected one group per reward; got another number");
  std::vector<PreferencePair> pairs;
  for (const Rows& group : rows_by_group(groups)) {
    if (!moments(values, group).varied) continue;
    Rows defined;
    std::ranges::copy_if(group, std::back_inserter(defined), [&](size_t row) { return !std::isnan(values[row]); });
    const auto value = [&](size_t row) { return values[row]; };
    pairs.push_back({.chosen = static_cast<int64_t>(*std::ranges::max_element(defined, {}, value)),
                     .rejected = static_cast<int64_t>(*std::ranges::min_element(defined, {}, value))});
  }
  return pairs;
} catch (...) {
  rethrow_as_error("preference_pairs");
}

LossOutput dpo_loss(const at::Tensor& chosen, const at::Tensor& rejected, const at::Tensor& ref_chosen, const at::Tensor& ref_rejected,
                    double pairs, const DpoConfig& config) try {
  check_pairs("dpo_loss", {&chosen, &rejected, &ref_chosen, &ref_rejected});
  const at::Tensor gain = chosen - ref_chosen, gain_of_other = rejected - ref_rejected, margin = gain - gain_of_other;
  const double beta = config.dpo_beta;
  at::Tensor losses;
  if (config.preference_loss == PreferenceLoss::kIpo) {
    losses = (margin - 1 / (2 * beta)).square();
  } else {
    const double smoothing = config.label_smoothing;
    losses = -(1 - smoothing) * at::log_sigmoid(beta * margin) - smoothing * at::log_sigmoid(-beta * margin);
  }
  MetricList metrics;
  const at::Tensor all = at::ones_like(chosen, at::kBool);
  metrics.add("rewards/chosen", Tally::Kind::kMean, {beta * gain, all});
  metrics.add("rewards/rejected", Tally::Kind::kMean, {beta * gain_of_other, all});
  add_pair_metrics(metrics, beta * gain, beta * gain_of_other);
  return {.loss = losses.sum() / std::max(pairs, 1.0), .metrics = metrics.read()};
} catch (...) {
  rethrow_as_error("dpo_loss");
}

LossOutput bradley_terry_loss(const at::Tensor& chosen, const at::Tensor& rejected, double pairs, double margin) try {
  check_pairs("bradley_terry_loss", {&chosen, &rejected});
  MetricList metrics;
  add_pair_metrics(metrics, chosen, rejected);
  return {.loss = -at::log_sigmoid(chosen - rejected - margin).sum() / std::max(pairs, 1.0), .metrics = metrics.read()};
} catch (...) {
  rethrow_as_error("bradley_terry_loss");
}

}  // namespace grpo
