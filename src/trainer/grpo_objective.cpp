#include "trainer/grpo_objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/kl.h"
#include "grpo/core/error.h"
#include "grpo/trainer/data_parallel.h"
#include "trainer/exchange.h"
#include "trainer/frozen.h"
#include "trainer/objectives.h"

namespace grpo {
namespace {

/// The rewards of steps as [M], and their figures.
at::Tensor by_pair(const std::vector<std::vector<double>>& step_rewards, std::map<std::string, double>& metrics) {
  std::vector<double> all;
  for (const auto& rewards : step_rewards) all.insert(all.end(), rewards.begin(), rewards.end());
  double sum = 0.0, count = 0.0;
  for (const double reward : all) {
    if (std::isnan(reward)) continue;
    sum += reward;
    ++count;
  }
  metrics["steps/per_completion"] = count / static_cast<double>(step_rewards.size());
  if (count > 0.0) metrics["steps/reward"] = sum / count;
  return at::tensor(all, at::kDouble);
}

}  // namespace

std::vector<int64_t> groups_of(const std::vector<Rollout>& rollouts) {
  std::vector<int64_t> groups;
  for (const auto& rollout : rollouts) groups.push_back(rollout.group);
  return groups;
}

at::Tensor reward_tensor(const ScoredBatch& scores) {
  const auto functions = static_cast<int64_t>(scores.per_function.size()), samples = static_cast<int64_t>(scores.rewards.size());
  at::Tensor rewards = at::empty({samples, functions}, at::kDouble);
  auto* p = rewards.data_ptr<double>();
  for (int64_t s = 0; s < samples; ++s) {
    for (int64_t f = 0; f < functions; ++f) *p++ = scores.per_function[static_cast<size_t>(f)][static_cast<size_t>(s)];
  }
  return rewards;
}

void reward_metrics(const ScoredBatch& scores, const std::vector<int64_t>& groups, const Config& config,
                    std::map<std::string, double>& metrics) {
  const RewardStatistics stats = reward_statistics(reward_tensor(scores), groups, config.algorithm.advantage);
  metrics["reward"] = stats.reward;
  metrics["reward_std"] = stats.reward_std;
  metrics["frac_reward_zero_std"] = stats.frac_reward_zero_std;
  for (size_t f = 0; f < config.reward.size(); ++f) {
    metrics["rewards/" + config.reward[f].name + "/mean"] = stats.function_mean[f];
    metrics["rewards/" + config.reward[f].name + "/std"] = stats.function_std[f];
  }
}

at::Tensor first_of_sequences(const at::Tensor& column, const Batch& batch) {
  std::vector<int64_t> first;
  for (size_t pair = 0; pair < batch.samples.size(); ++pair) {
    if (pair == 0 || batch.samples[pair] != batch.samples[pair - 1]) first.push_back(static_cast<int64_t>(pair));
  }
  return column.index_select(0, at::tensor(first));
}

size_t outcome_function(const std::vector<RewardFunction>& functions, const std::string& name) {
  const std::string wanted = name.empty() ? "accuracy" : name;
  const auto found = std::find_if(functions.begin(), functions.end(), [&](const RewardFunction& f) { return f.name == wanted; });
  if (found == functions.end() && !name.empty()) fail_usage("objective", "no reward is called '" + name + "'");
  return found == functions.end() ? 0 : static_cast<size_t>(found - functions.begin());
}

LossOutput Objective::model_loss(const SideModel& model, const TokenOutputs&, const Batch&, const LossNormalizer&) {
  fail("objective", "expected no " + model.name + " with a pass of its own");
}

GrpoObjective::GrpoObjective(const ObjectiveContext& context, bool needs_reference)
    : policy_(context.policy),
      config_(context.config),
      communicator_(context.communicator),
      reference_(policy_, config_.algorithm, needs_reference),
      temperature_(context.temperature),
      needs_old_(context.updates_per_rollout > 1 || config_.algorithm.loss.use_kl_in_reward),
      adaptive_entropy_(config_.algorithm.loss),
      adaptive_kl_(config_.algorithm.loss) {
  const LossConfig& loss = config_.algorithm.loss;
  if (!loss.custom_loss.empty()) custom_loss_ = context.losses.make(loss.custom_loss, loss.custom_loss_options);
  if (config_.algorithm.advantage.reward_weights.empty()) {
    for (const auto& reward : config_.reward) config_.algorithm.advantage.reward_weights.push_back(reward.weight);
  }
}

Batch GrpoObjective::prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) {
  reward_metrics(scores, groups_of(sampled.rollouts), config_, metrics);
  Batch batch = make_batch(sampled.rollouts, {}, batch_options());
  const LogprobOptions options{.temperature = temperature()};
  if (needs_old_) batch.old_logprobs = shared_outputs(policy_, batch, options, max_tokens(), communicator_).logprobs;
  if (reference_.present()) batch.ref_logprobs = reference_.logprobs(batch, temperature(), max_tokens(), communicator_);
  add_advantages(batch, sampled, scores, metrics);
  return batch;
}

BatchOptions GrpoObjective::batch_options() {
  BatchOptions options{.mask_truncated_completions = config_.algorithm.mask_truncated_completions};
  options.draw_key = {.seed = static_cast<uint64_t>(config_.trainer.seed), .step = rollouts_++};
  if (config_.algorithm.loss.loss_type != LossType::kClipCov) options.draw_key.reset();
  return options;
}

void GrpoObjective::add_advantages(Batch& batch, const SampledBatch& sampled, const ScoredBatch& scores,
                                   std::map<std::string, double>& metrics) {
  RewardSignals signals{
      .rewards = reward_tensor(scores), .greedy_rewards = {}, .step_rewards = {}, .token_rewards = token_rewards(batch, metrics)};
  if (!sampled.greedy_rewards.empty()) signals.greedy_rewards = at::tensor(sampled.greedy_rewards, at::kDouble);
  if (!sampled.step_rewards.empty()) signals.step_rewards = by_pair(sampled.step_rewards, metrics);
  batch.advantages = estimate_advantages(signals, batch, config_.algorithm.advantage);
}

at::Tensor GrpoObjective::weighted_rewards(const ScoredBatch& scores) const {
  const auto& weights = config_.algorithm.advantage.reward_weights;
  std::vector<double> sums(scores.rewards.size(), std::nan(""));
  for (size_t f = 0; f < scores.per_function.size(); ++f) {
    for (size_t s = 0; s < sums.size(); ++s) {
      const double value = scores.per_function[f][s];
      if (!std::isnan(value)) sums[s] = (std::isnan(sums[s]) ? 0.0 : sums[s]) + weights[f] * value;
    }
  }
  return at::tensor(sums, at::kDouble);
}

at::Tensor GrpoObjective::token_rewards(const Batch& batch, std::map<std::string, double>& metrics) const {
  if (!reference_.present() || !config_.algorithm.loss.use_kl_in_reward) return {};
  at::Tensor penalty = kl_penalty(batch, adaptive_kl_.beta());
  metrics["kl"] = -penalty.sum(at::kDouble).item<double>() / adaptive_kl_.beta() / std::max(batch.mask.sum().item<double>(), 1.0);
  return penalty;
}

LossNormalizer GrpoObjective::normalizer(const Batch& share, int64_t micro_batches) {
  const LossConfig& loss = config_.algorithm.loss;
  LossNormalizer result = loss_normalizer(share, config_.rollout.sampling.max_completion_length, communicator_, micro_batches);
  if (loss.top_entropy_quantile < 1.0 || needs_covariance(loss_row(loss.loss_type).surrogate)) add_statistics(result, share);
  sequences_ = result.sequences;
  return result;
}

LossOutput GrpoObjective::loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) {
  LossConfig config = config_.algorithm.loss;
  if (config.use_adaptive_entropy) config.entropy_coef = adaptive_entropy_.applied();
  if (config.use_adaptive_kl) config.beta = adaptive_kl_.beta();
  return policy_loss(outputs.logprobs, outputs.entropy, micro, normalizer, config, custom_loss_.get());
}

void GrpoObjective::end_step(int64_t step, std::map<std::string, double>& metrics) {
  const LossConfig& loss = config_.algorithm.loss;
  reference_.end_step(step);
  if (loss.use_adaptive_entropy && metrics.contains("entropy")) {
    metrics["entropy_coef"] = adaptive_entropy_.applied();
    adaptive_entropy_.update(metrics.at("entropy"));
  }
  if (loss.use_adaptive_kl) {
    metrics["beta"] = adaptive_kl_.beta();
    if (metrics.contains("kl")) adaptive_kl_.update(metrics.at("kl"), sequences_);  // in the reward, it is measured once a rollout
  }
}

/// Entropy coefficient, entropy of the last step (−1: none), beta, rollouts so far.
std::vector<double> GrpoObjective::state() const {
  const auto& [coefficient, last_entropy] = adaptive_entropy_.state();
  return {coefficient, std::isfinite(last_entropy) ? last_entropy : -1.0, adaptive_kl_.beta(), static_cast<double>(rollouts_)};
}

void GrpoObjective::restore(const std::vector<double>& state) {
  GRPO_CHECK(state.size() == 4, "checkpoint", "expected 4 figures of the objective; got " + std::to_string(state.size()));
  if (state[1] >= 0.0) adaptive_entropy_.restore({state[0], state[1]});
  adaptive_kl_.restore(state[2]);
  rollouts_ = static_cast<uint64_t>(state[3]);
}

/// What losses of step scope choose tokens by: one pass without gradient over this rank's share, gathered from all.
void GrpoObjective::add_statistics(LossNormalizer& normalizer, const Batch& share) {
  const LossConfig& loss = config_.algorithm.loss;
  const bool by_entropy = loss.top_entropy_quantile < 1.0, by_covariance = needs_covariance(loss_row(loss.loss_type).surrogate);
  at::Tensor entropies = at::empty({0}, at::kFloat), tokens = at::empty({0, 3}, at::kFloat);
  if (share.num_samples() > 0) {
    const TokenOutputs outputs = frozen_outputs(policy_, share, {.temperature = temperature(), .entropy = by_entropy}, max_tokens());
    if (by_entropy) entropies = outputs.entropy.masked_select(share.mask > 0);
    if (by_covariance) tokens = covariance_tokens(outputs.logprobs, share, loss);
  }
  if (by_entropy) {
    const at::Tensor all = gather(communicator_, entropies);
    set_entropy_threshold(normalizer, all, at::ones_like(all), loss.top_entropy_quantile);
  }
  if (by_covariance) set_covariance(normalizer, gather(communicator_, tokens.flatten()).view({-1, 3}), loss);
}

}  // namespace grpo
