#include "trainer/grpo_objective.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "grpo/algorithm/advantages.h"
#include "grpo/core/error.h"
#include "grpo/trainer/data_parallel.h"
#include "trainer/exchange.h"
#include "trainer/frozen.h"

namespace grpo {

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

LossOutput Objective::model_loss(const SideModel& model, const TokenOutputs&, const Batch&, const LossNormalizer&) {
  fail("objective", "expected no " + model.name + " with a pass of its own");
}

GrpoObjective::GrpoObjective(const ObjectiveContext& context)
    : policy_(context.policy),
      config_(context.config),
      communicator_(context.communicator),
      needs_old_(context.updates_per_rollout > 1),
      adaptive_entropy_(config_.algorithm.loss),
      reference_(policy_, config_.algorithm) {
  if (config_.algorithm.advantage.reward_weights.empty()) {
    for (const auto& reward : config_.reward) config_.algorithm.advantage.reward_weights.push_back(reward.weight);
  }
}

Batch GrpoObjective::prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) {
  reward_metrics(scores, groups_of(sampled.rollouts), config_, metrics);
  Batch batch = make_batch(sampled.rollouts, {}, {.mask_truncated_completions = config_.algorithm.mask_truncated_completions});
  const LogprobOptions options{.temperature = temperature()};
  if (needs_old_) batch.old_logprobs = shared_outputs(policy_, batch, options, max_tokens(), communicator_).logprobs;
  if (reference_.present()) batch.ref_logprobs = reference_.logprobs(batch, temperature(), max_tokens(), communicator_);
  add_advantages(batch, sampled, scores, metrics);
  return batch;
}

void GrpoObjective::add_advantages(Batch& batch, const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>&) {
  const at::Tensor advantages = group_advantages(reward_tensor(scores), groups_of(sampled.rollouts), config_.algorithm.advantage);
  batch.advantages = advantages.index_select(0, at::tensor(batch.samples));
}

LossNormalizer GrpoObjective::normalizer(const Batch& share, int64_t micro_batches) {
  const LossConfig& loss = config_.algorithm.loss;
  LossNormalizer result = loss_normalizer(share, config_.rollout.sampling.max_completion_length, communicator_, micro_batches);
  if (loss.top_entropy_quantile < 1.0) {
    const at::Tensor all = gather(communicator_, entropies_in_loss(share));
    set_entropy_threshold(result, all, at::ones_like(all), loss.top_entropy_quantile);
  }
  return result;
}

LossOutput GrpoObjective::loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) {
  LossConfig config = config_.algorithm.loss;
  if (config.use_adaptive_entropy) config.entropy_coef = adaptive_entropy_.applied();
  return policy_loss(outputs.logprobs, outputs.entropy, micro, normalizer, config);
}

void GrpoObjective::end_step(int64_t step, std::map<std::string, double>& metrics) {
  reference_.end_step(step);
  if (!config_.algorithm.loss.use_adaptive_entropy) return;
  metrics["entropy_coef"] = adaptive_entropy_.applied();
  adaptive_entropy_.update(metrics.at("entropy"));
}

std::vector<double> GrpoObjective::state() const {
  const auto& [coefficient, last_entropy] = adaptive_entropy_.state();
  if (!std::isfinite(last_entropy)) return {};
  return {coefficient, last_entropy};
}

void GrpoObjective::restore(const std::vector<double>& state) {
  if (state.size() == 2) adaptive_entropy_.restore({state[0], state[1]});
}

at::Tensor GrpoObjective::entropies_in_loss(const Batch& share) {
  if (share.num_samples() == 0) return at::empty({0}, at::kFloat);
  const LogprobOptions options{.temperature = temperature(), .entropy = true};
  return frozen_outputs(policy_, share, options, max_tokens()).entropy.masked_select(share.mask > 0);
}

}  // namespace grpo
