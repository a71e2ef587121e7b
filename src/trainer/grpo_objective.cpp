#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/ones_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "grpo/algorithm/adaptive_entropy.h"
#include "grpo/algorithm/advantages.h"
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
  GrpoObjective(Transformer& policy, const Config& config, int64_t updates_per_rollout, Communicator& communicator)
      : policy_(policy),
        config_(config),
        communicator_(communicator),
        needs_old_(updates_per_rollout > 1),
        adaptive_entropy_(config.algorithm.loss) {
    if (config_.algorithm.advantage.reward_weights.empty()) {
      for (const auto& reward : config_.reward) config_.algorithm.advantage.reward_weights.push_back(reward.weight);
    }
    if (config_.algorithm.loss.beta > 0.0) reference_ = frozen_copy(policy);
  }

  Batch prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) override {
    const auto groups = groups_of(sampled.rollouts);
    const at::Tensor rewards = reward_tensor(scores);
    const at::Tensor advantages = group_advantages(rewards, groups, config_.algorithm.advantage);
    const RewardStatistics stats = reward_statistics(rewards, groups, config_.algorithm.advantage);
    metrics["reward"] = stats.reward;
    metrics["reward_std"] = stats.reward_std;
    metrics["frac_reward_zero_std"] = stats.frac_reward_zero_std;
    for (size_t f = 0; f < config_.reward.size(); ++f) {
      metrics["rewards/" + config_.reward[f].name + "/mean"] = stats.function_mean[f];
      metrics["rewards/" + config_.reward[f].name + "/std"] = stats.function_std[f];
    }
    return make_batch(sampled.rollouts, advantages, {.mask_truncated_completions = config_.algorithm.mask_truncated_completions});
  }

  void note_logprobs(Batch& part) override {
    const double temperature = config_.rollout.sampling.temperature;
    const int64_t max_tokens = config_.trainer.max_tokens;
    if (needs_old_) part.old_logprobs = frozen_logprobs(policy_, part, temperature, max_tokens);
    if (reference_) part.ref_logprobs = frozen_logprobs(*reference_, part, temperature, max_tokens);
  }

  LossNormalizer normalizer(const Batch& share, int64_t micro_batches) override {
    const LossConfig& loss = config_.algorithm.loss;
    LossNormalizer result = loss_normalizer(share, config_.rollout.sampling.max_completion_length, communicator_, micro_batches);
    if (loss.top_entropy_quantile < 1.0) {
      const at::Tensor all = gather(communicator_, entropies_in_loss(share));
      set_entropy_threshold(result, all, at::ones_like(all), loss.top_entropy_quantile);
    }
    return result;
  }

  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    LossConfig config = config_.algorithm.loss;
    if (config.use_adaptive_entropy) config.entropy_coef = adaptive_entropy_.applied();
    return policy_loss(outputs.logprobs, outputs.entropy, micro.to(outputs.logprobs.device()), normalizer, config);
  }

  void end_step(std::map<std::string, double>& metrics) override {
    if (!config_.algorithm.loss.use_adaptive_entropy) return;
    metrics["entropy_coef"] = adaptive_entropy_.applied();
    adaptive_entropy_.update(metrics.at("entropy"));
  }

  std::vector<double> state() const override {
    const auto& [coefficient, last_entropy] = adaptive_entropy_.state();
    if (!std::isfinite(last_entropy)) return {};
    return {coefficient, last_entropy};
  }

  void restore(const std::vector<double>& state) override {
    if (state.size() == 2) adaptive_entropy_.restore({state[0], state[1]});
  }

 private:
  at::Tensor entropies_in_loss(const Batch& share) {
    if (share.num_samples() == 0) return at::empty({0}, at::kFloat);
    const LogprobOptions options{.temperature = config_.rollout.sampling.temperature, .entropy = true};
    return frozen_outputs(policy_, share, options, config_.trainer.max_tokens).entropy.to(at::kCPU).masked_select(share.mask > 0);
  }

  Transformer& policy_;
  Config config_;
  Communicator& communicator_;
  bool needs_old_;
  AdaptiveEntropy adaptive_entropy_;
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
                                               Communicator& communicator) {
  return std::make_unique<GrpoObjective>(policy, config, updates_per_rollout, communicator);
}

}  // namespace grpo
