#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/ones_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "grpo/algorithm/adaptive_entropy.h"
#include "grpo/algorithm/adaptive_kl.h"
#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/kl.h"
#include "grpo/algorithm/policy_term.h"
#include "grpo/trainer/data_parallel.h"
#include "trainer/exchange.h"
#include "trainer/objective.h"

namespace grpo {
namespace {

std::vector<int64_t> groups_of(const std::vector<Rollout>& rollouts) {
  std::vector<int64_t> groups;
  for (const auto& rollout : rollouts) groups.push_back(rollout.group);
  return groups;
}

/// [F][S] → [S, F] tensor.
at::Tensor reward_tensor(const ScoredBatch& scores) {
  const auto functions = static_cast<int64_t>(scores.per_function.size()), samples = static_cast<int64_t>(scores.rewards.size());
  at::Tensor rewards = at::empty({samples, functions}, at::kDouble);
  auto* p = rewards.data_ptr<double>();
  for (int64_t s = 0; s < samples; ++s) {
    for (int64_t f = 0; f < functions; ++f) *p++ = scores.per_function[static_cast<size_t>(f)][static_cast<size_t>(s)];
  }
  return rewards;
}

std::unique_ptr<Transformer> frozen_copy(Transformer& policy) {
  const c10::NoGradGuard no_grad;
  auto copy = std::make_unique<Transformer>(policy.config(), policy.dtype(), policy.device());
  const auto from = policy.parameters(), to = copy->parameters();
  for (size_t i = 0; i < from.size(); ++i) at::Tensor(to[i]->flat()).copy_(from[i]->flat());
  copy->set_vocab_limit(policy.vocab_limit());
  copy->set_compute(policy.compute());
  copy->bump_version();
  return copy;
}

class GrpoObjective final : public Objective {
 public:
  GrpoObjective(Transformer& policy, const Config& config, int64_t updates_per_rollout, Communicator& communicator,
                const LossRegistry& losses)
      : policy_(policy),
        config_(config),
        communicator_(communicator),
        needs_old_(updates_per_rollout > 1),
        adaptive_entropy_(config.algorithm.loss),
        adaptive_kl_(config.algorithm.loss) {
    const LossConfig& loss = config.algorithm.loss;
    if (!loss.custom_loss.empty()) custom_loss_ = losses.make(loss.custom_loss, loss.custom_loss_options);
    if (config_.algorithm.advantage.reward_weights.empty()) {
      for (const auto& reward : config_.reward) config_.algorithm.advantage.reward_weights.push_back(reward.weight);
    }
    if (config_.algorithm.loss.beta > 0.0) reference_ = frozen_copy(policy);
  }

  Batch prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) override {
    const auto groups = groups_of(sampled.rollouts);
    const at::Tensor rewards = reward_tensor(scores);
    const RewardStatistics stats = reward_statistics(rewards, groups, config_.algorithm.advantage);
    metrics["reward"] = stats.reward;
    metrics["reward_std"] = stats.reward_std;
    metrics["frac_reward_zero_std"] = stats.frac_reward_zero_std;
    for (size_t f = 0; f < config_.reward.size(); ++f) {
      metrics["rewards/" + config_.reward[f].name + "/mean"] = stats.function_mean[f];
      metrics["rewards/" + config_.reward[f].name + "/std"] = stats.function_std[f];
    }
    Batch batch = make_batch(sampled.rollouts, {}, batch_options());
    batch.advantages =
        estimate_advantages({.rewards = rewards, .token_rewards = token_rewards(batch, metrics)}, batch, config_.algorithm.advantage);
    return batch;
  }

  void note_logprobs(Batch& part) override {
    const double temperature = config_.rollout.sampling.temperature;
    const int64_t max_tokens = config_.trainer.max_tokens;
    if (needs_old_) part.old_logprobs = frozen_logprobs(policy_, part, temperature, max_tokens);
    if (reference_ && !config_.algorithm.loss.use_kl_in_reward)
      part.ref_logprobs = frozen_logprobs(*reference_, part, temperature, max_tokens);
  }

  LossNormalizer normalizer(const Batch& share, int64_t micro_batches) override {
    const LossConfig& loss = config_.algorithm.loss;
    LossNormalizer result = loss_normalizer(share, config_.rollout.sampling.max_completion_length, communicator_, micro_batches);
    if (loss.top_entropy_quantile < 1.0 || needs_covariance(loss_row(loss.loss_type).surrogate)) add_statistics(result, share);
    sequences_ = result.sequences;
    return result;
  }

  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    LossConfig config = config_.algorithm.loss;
    if (config.use_adaptive_entropy) config.entropy_coef = adaptive_entropy_.applied();
    if (config.use_adaptive_kl) config.beta = adaptive_kl_.beta();
    return policy_loss(outputs.logprobs, outputs.entropy, micro, normalizer, config, custom_loss_.get());
  }

  void end_step(std::map<std::string, double>& metrics) override {
    const LossConfig& loss = config_.algorithm.loss;
    if (loss.use_adaptive_entropy) {
      metrics["entropy_coef"] = adaptive_entropy_.applied();
      adaptive_entropy_.update(metrics.at("entropy"));
    }
    if (loss.use_adaptive_kl) {
      metrics["beta"] = adaptive_kl_.beta();
      if (metrics.contains("kl")) adaptive_kl_.update(metrics.at("kl"), sequences_);  // in the reward, it is measured once a rollout
    }
  }

  /// Entropy coefficient, entropy of the last step (−1: none), beta, rollouts so far.
  std::vector<double> state() const override {
    const auto& [coefficient, last_entropy] = adaptive_entropy_.state();
    return {coefficient, std::isfinite(last_entropy) ? last_entropy : -1.0, adaptive_kl_.beta(), static_cast<double>(rollouts_)};
  }

  void restore(const std::vector<double>& state) override {
    if (state.size() >= 2 && state[1] >= 0.0) adaptive_entropy_.restore({state[0], state[1]});
    if (state.size() < 4) return;
    adaptive_kl_.restore(state[2]);
    rollouts_ = static_cast<uint64_t>(state[3]);
  }

 private:
  BatchOptions batch_options() {
    BatchOptions options{.mask_truncated_completions = config_.algorithm.mask_truncated_completions};
    options.draw_key = {.seed = static_cast<uint64_t>(config_.trainer.seed), .step = rollouts_++};
    if (config_.algorithm.loss.loss_type != LossType::kClipCov) options.draw_key.reset();
    return options;
  }

  /// −beta · KL of every token of a rollout, of which each rank computes a share; undefined where the KL is not in the reward.
  at::Tensor token_rewards(const Batch& batch, std::map<std::string, double>& metrics) {
    if (!reference_ || !config_.algorithm.loss.use_kl_in_reward) return {};
    const double temperature = config_.rollout.sampling.temperature;
    const int64_t max_tokens = config_.trainer.max_tokens;
    const Share share = share_of(batch.num_samples(), communicator_);
    at::Tensor penalty = at::empty({0}, at::kFloat);
    if (share.size() > 0) {
      std::vector<int64_t> chosen(static_cast<size_t>(share.size()));
      std::iota(chosen.begin(), chosen.end(), share.begin);
      Batch part = batch.select(chosen);
      part.ref_logprobs = frozen_logprobs(*reference_, part, temperature, max_tokens);
      part.old_logprobs = frozen_logprobs(policy_, part, temperature, max_tokens);
      penalty = kl_penalty(part, adaptive_kl_.beta());
    }
    at::Tensor all = gather(communicator_, penalty);
    metrics["kl"] = -all.sum(at::kDouble).item<double>() / adaptive_kl_.beta() / std::max(batch.mask.sum().item<double>(), 1.0);
    return all;
  }

  /// What losses of step scope choose tokens by: one pass without gradient over this rank's share, gathered from all.
  void add_statistics(LossNormalizer& normalizer, const Batch& share) {
    const LossConfig& loss = config_.algorithm.loss;
    const bool by_entropy = loss.top_entropy_quantile < 1.0, by_covariance = needs_covariance(loss_row(loss.loss_type).surrogate);
    at::Tensor entropies = at::empty({0}, at::kFloat), tokens = at::empty({0, 3}, at::kFloat);
    if (share.num_samples() > 0) {
      const LogprobOptions options{.temperature = config_.rollout.sampling.temperature, .entropy = by_entropy};
      const TokenOutputs outputs = frozen_outputs(policy_, share, options, config_.trainer.max_tokens);
      if (by_entropy) entropies = outputs.entropy.masked_select(share.mask > 0);
      if (by_covariance) tokens = covariance_tokens(outputs.logprobs, share, loss);
    }
    if (by_entropy) {
      const at::Tensor all = gather(communicator_, entropies);
      set_entropy_threshold(normalizer, all, at::ones_like(all), loss.top_entropy_quantile);
    }
    if (by_covariance) set_covariance(normalizer, gather(communicator_, tokens.flatten()).view({-1, 3}), loss);
  }

  Transformer& policy_;
  Config config_;
  Communicator& communicator_;
  bool needs_old_;
  AdaptiveEntropy adaptive_entropy_;
  AdaptiveKl adaptive_kl_;
  std::unique_ptr<PolicyTerm> custom_loss_;
  double sequences_ = 0;   // of the last optimiser step, over all ranks
  uint64_t rollouts_ = 0;  // prepared so far
  std::unique_ptr<Transformer> reference_;
};

}  // namespace

TokenOutputs frozen_outputs(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens) {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> logprobs, entropies;
  for (const auto& micro : batch.split({.max_tokens = max_tokens})) {
    const TokenOutputs out = model.logprobs(micro, options);
    logprobs.push_back(out.logprobs);
    if (options.entropy) entropies.push_back(out.entropy);
  }
  return {.logprobs = at::cat(logprobs), .entropy = options.entropy ? at::cat(entropies) : at::Tensor()};
}

at::Tensor frozen_logprobs(Transformer& model, const Batch& batch, double temperature, int64_t max_tokens) {
  return frozen_outputs(model, batch, {.temperature = temperature}, max_tokens).logprobs;
}

std::unique_ptr<Objective> make_grpo_objective(Transformer& policy, const Config& config, int64_t updates_per_rollout,
                                               Communicator& communicator, const LossRegistry& losses) {
  return std::make_unique<GrpoObjective>(policy, config, updates_per_rollout, communicator, losses);
}

}  // namespace grpo
