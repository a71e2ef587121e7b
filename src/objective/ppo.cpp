#include <ATen/TensorOperators.h>

#include "grpo/algorithm/gae.h"
#include "grpo/core/error.h"
#include "objective/make_objective.h"
#include "objective/no_grad.h"

namespace grpo {
namespace {

/// PPO with a critic (Schulman et al., 1707.06347): advantages by generalised advantage estimation over the critic's values. The critic is
/// a copy of the policy with a scalar head, or such a head on the policy itself, whose loss then reaches the policy's weights too.
class PpoObjective final : public GrpoObjective {
 public:
  explicit PpoObjective(const ObjectiveContext& context) : GrpoObjective(context), settings_(config_.ppo) {
    if (!settings_.share_backbone) copy_ = frozen_copy(policy_);
    critic().add_value_head();
  }

  std::vector<TrainedModel> models() override {
    auto all = GrpoObjective::models();
    std::vector<ParameterArena*> arenas{critic().value_head()};
    if (copy_) {
      const auto backbone = copy_->parameters();
      arenas.insert(arenas.begin(), backbone.begin(), backbone.end());
    }
    all.push_back({.name = "critic", .arenas = std::move(arenas), .optim = settings_.optim, .own_pass = copy_.get(), .values = true});
    return all;
  }

  bool values_with_policy() const override { return !copy_; }
  bool moves_policy(int64_t step) const override { return step >= settings_.value_warmup_steps; }

  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    LossOutput out = GrpoObjective::loss(outputs, micro, normalizer);
    if (copy_) return out;
    const LossOutput value = critic_loss(outputs.values, micro, normalizer);
    merge(out.metrics, value.metrics);
    out.loss = out.loss + settings_.vf_coef * value.loss;
    return out;
  }

  LossOutput model_loss(const TrainedModel&, const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    return critic_loss(outputs.values, micro, normalizer);
  }

 protected:
  Metrics add_advantages(Batch& batch, const Experience& experience, const RolloutInfo& rollout) override {
    Metrics metrics;
    const LogprobOptions options{.temperature = rollout.temperature, .logprobs = false, .values = true};
    const at::Tensor values = outputs_of_all_ranks(critic(), batch, options, max_tokens(), communicator_).values;
    GaeOutput estimate = gae(outcome_rewards(rewards_of(experience), batch, token_rewards(batch, metrics)), values, batch, settings_.gae);
    batch.advantages = std::move(estimate.advantages);
    batch.columns["values"] = values;
    batch.columns["returns"] = std::move(estimate.returns);
    return metrics;
  }

 private:
  Transformer& critic() { return copy_ ? *copy_ : policy_; }
  LossOutput critic_loss(const at::Tensor& values, const Batch& micro, const LossNormalizer& normalizer) const {
    return value_loss(values, micro.columns.at("values"), micro.columns.at("returns"), micro, normalizer, settings_.gae);
  }

  PpoSection settings_;
  std::unique_ptr<Transformer> copy_;  // null where the policy carries the head
};

}  // namespace

std::unique_ptr<Objective> make_ppo_objective(const ObjectiveContext& context) { return std::make_unique<PpoObjective>(context); }

}  // namespace grpo
