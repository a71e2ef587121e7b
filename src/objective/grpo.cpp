#include "objective/grpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/kl.h"
#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/policy/data_parallel.h"
#include "objective/make_objective.h"
#include "objective/no_grad.h"
#include "objective/step_rewards.h"
#include "policy/gather.h"

namespace grpo {
namespace {

/// The rewards of steps as [M], and their figures.
at::Tensor by_pair(const std::vector<std::vector<double>>& step_rewards, Metrics& metrics) {
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

/// [B] the reward of the greedy completion of each sample's prompt.
at::Tensor greedy_rewards_of(const Experience& experience) {
  std::vector<double> rewards;
  for (const Group& group : experience) rewards.insert(rewards.end(), group.samples.size(), group.greedy_reward);
  return at::tensor(rewards, at::kDouble);
}

}  // namespace

at::Tensor first_of_sequences(const at::Tensor& column, const Batch& batch) {
  std::vector<int64_t> first;
  for (size_t pair = 0; pair < batch.sequence_of.size(); ++pair) {
    if (pair == 0 || batch.sequence_of[pair] != batch.sequence_of[pair - 1]) first.push_back(static_cast<int64_t>(pair));
  }
  return column.index_select(0, at::tensor(first));
}

LossOutput Objective::model_loss(const TrainedModel& model, const TokenOutputs&, const Batch&, const LossNormalizer&) {
  fail("objective", "expected no " + model.name + " with a pass of its own");
}

GrpoObjective::GrpoObjective(const ObjectiveContext& context, bool needs_reference)
    : policy_(context.policy),
      config_(context.config),
      rewards_(context.rewards),
      communicator_(context.communicator),
      reference_(policy_, config_, needs_reference),
      tokenizer_(context.tokenizer),
      max_tokens_(context.max_tokens),
      max_completion_length_(context.max_completion_length),
      seed_(context.seed),
      needs_old_(context.updates_per_rollout > 1 || config_.loss.use_kl_in_reward),
      adaptive_entropy_(config_.loss),
      adaptive_kl_(config_.loss) {
  const LossConfig& loss = config_.loss;
  if (!loss.custom_loss.empty()) custom_loss_ = context.losses.make(loss.custom_loss, loss.custom_loss_options);
  const AdvantageConfig& advantage = config_.advantage;
  estimator_ = context.estimators.make(advantage.advantage_estimator, advantage.advantage_options);
  config_.advantage.reward_weights.clear();
  for (const auto& reward : rewards_) config_.advantage.reward_weights.push_back(reward.weight);
}

PreparedBatch GrpoObjective::prepare(const Experience& experience, const RolloutInfo& rollout) {
  PreparedBatch prepared{.batch = make_batch(experience, {}, batch_options(rollout)), .metrics = reward_metrics(experience)};
  Batch& batch = prepared.batch;
  const LogprobOptions options{.temperature = rollout.temperature};
  if (needs_old_) batch.old_logprobs = outputs_of_all_ranks(policy_, batch, options, max_tokens(), communicator_).logprobs;
  if (reference_.present()) batch.ref_logprobs = reference_.logprobs(batch, rollout.temperature, max_tokens(), communicator_);
  prepared.metrics.merge(add_advantages(batch, experience, rollout));
  return prepared;
}

BatchOptions GrpoObjective::batch_options(const RolloutInfo& rollout) const {
  BatchOptions options{.mask_truncated_completions = config_.mask_truncated_completions};
  if (config_.loss.loss_type == LossType::kClipCov) options.draw_key = {.seed = seed_, .step = static_cast<uint64_t>(rollout.number)};
  return options;
}

Metrics GrpoObjective::add_advantages(Batch& batch, const Experience& experience, const RolloutInfo& /*rollout*/) {
  Metrics metrics;
  RewardSignals signals{.rewards = scores_of(experience), .token_rewards = token_rewards(batch, metrics)};
  const auto needs = estimator_->needs();
  if (needs.greedy) signals.greedy_rewards = greedy_rewards_of(experience);
  if (needs.steps) signals.step_rewards = by_pair(step_rewards(tokenizer_, experience, reward_names(), config_.step_reward), metrics);
  batch.advantages = estimator_->advantages(signals, batch, config_.advantage);
  const bool fits = batch.advantages.defined() && batch.advantages.dim() == 1 && batch.advantages.size(0) == batch.num_pairs();
  GRPO_CHECK(fits && batch.advantages.isfinite().all().item<bool>(), "advantages",
             "expected " + std::to_string(batch.num_pairs()) + " finite numbers, one per pair, of the estimator " +
                 config_.advantage.advantage_estimator + "; got others");
  return metrics;
}

std::vector<std::string> GrpoObjective::reward_names() const {
  std::vector<std::string> names;
  for (const auto& reward : rewards_) names.push_back(reward.name);
  return names;
}

Metrics GrpoObjective::reward_metrics(const Experience& experience) const {
  const RewardStatistics stats = reward_statistics(scores_of(experience), groups_of(experience), config_.advantage);
  Metrics metrics{{"reward", stats.reward}, {"reward_std", stats.reward_std}, {"frac_reward_zero_std", stats.frac_reward_zero_std}};
  for (size_t f = 0; f < rewards_.size(); ++f) {
    metrics["rewards/" + rewards_[f].name + "/mean"] = stats.function_mean[f];
    metrics["rewards/" + rewards_[f].name + "/std"] = stats.function_std[f];
  }
  return metrics;
}

at::Tensor GrpoObjective::token_rewards(const Batch& batch, Metrics& metrics) const {
  if (!reference_.present() || !config_.loss.use_kl_in_reward) return {};
  at::Tensor penalty = kl_penalty(batch, adaptive_kl_.beta());
  metrics["kl"] = -penalty.sum(at::kDouble).item<double>() / adaptive_kl_.beta() / std::max(batch.mask.sum().item<double>(), 1.0);
  return penalty;
}

LossNormalizer GrpoObjective::normalizer(const Batch& share, int64_t micro_batches, const RolloutInfo& rollout) {
  const LossConfig& loss = config_.loss;
  LossNormalizer result = loss_normalizer(share, max_completion_length_, communicator_, micro_batches);
  if (loss.top_entropy_quantile < 1.0 || needs_covariance(loss_row(loss.loss_type).surrogate)) add_statistics(result, share, rollout);
  sequences_ = result.sequences;
  return result;
}

LossOutput GrpoObjective::loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) {
  LossConfig config = config_.loss;
  if (config.use_adaptive_entropy) config.entropy_coef = adaptive_entropy_.applied();
  if (config.use_adaptive_kl) config.beta = adaptive_kl_.beta();
  config.use_adaptive_entropy = config.use_adaptive_kl = false;  // the coefficients of this step are constants: no start value is checked
  return policy_loss(outputs.logprobs, outputs.entropy, micro, normalizer, config, custom_loss_.get());
}

Metrics GrpoObjective::end_step(int64_t step, const Metrics& metrics) {
  const LossConfig& loss = config_.loss;
  Metrics added;
  reference_.end_step(step);
  if (loss.use_adaptive_entropy && metrics.contains("entropy")) {
    added["entropy_coef"] = adaptive_entropy_.applied();
    adaptive_entropy_.update(metrics.at("entropy"));
  }
  if (loss.use_adaptive_kl) {
    added["beta"] = adaptive_kl_.beta();
    if (metrics.contains("kl")) adaptive_kl_.update(metrics.at("kl"), sequences_);  // in the reward, it is measured once a rollout
  }
  return added;
}

void GrpoObjective::describe_state(ConfigVisitor& v) {
  auto [coefficient, last_entropy] = adaptive_entropy_.state();
  std::optional<double> entropy;
  if (std::isfinite(last_entropy)) entropy = last_entropy;
  double beta = adaptive_kl_.beta();
  v.field("entropy_coef", coefficient, "");
  v.field("last_entropy", entropy, "");
  v.field("beta", beta, "");
  if (entropy) adaptive_entropy_.restore({coefficient, *entropy});
  adaptive_kl_.restore(beta);
}

/// What losses of step scope choose tokens by: one pass without gradient over this rank's share, gathered from all.
void GrpoObjective::add_statistics(LossNormalizer& normalizer, const Batch& share, const RolloutInfo& rollout) {
  const LossConfig& loss = config_.loss;
  const bool by_entropy = loss.top_entropy_quantile < 1.0, by_covariance = needs_covariance(loss_row(loss.loss_type).surrogate);
  at::Tensor entropies = at::empty({0}, at::kFloat), tokens = at::empty({0, 3}, at::kFloat);
  interruptible(communicator_, [&] {
    if (share.num_sequences() == 0) return;
    const TokenOutputs outputs =
        outputs_without_grad(policy_, share, {.temperature = rollout.temperature, .entropy = by_entropy}, max_tokens());
    if (by_entropy) entropies = outputs.entropy.masked_select(share.mask > 0);
    if (by_covariance) tokens = covariance_tokens(outputs.logprobs, share, loss);
  });
  if (by_entropy) {
    const at::Tensor all = gather(communicator_, entropies);
    set_entropy_threshold(normalizer, all, at::ones_like(all), loss.top_entropy_quantile);
  }
  if (by_covariance) set_covariance(normalizer, gather(communicator_, tokens.flatten()).view({-1, 3}), loss);
}

}  // namespace grpo
