#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "grpo/algorithm/prime.h"
#include "grpo/core/error.h"
#include "objective/make_objective.h"
#include "objective/no_grad.h"

namespace grpo {
namespace {

/// PRIME (Cui et al., 2502.01456): a process reward model that is a language model itself, r_t = beta (log p_phi − log p_ref), learns
/// online from outcomes alone; its token rewards and the outcome make the advantages. Both models begin as the policy. A rollout's rewards
/// are those of the reward model before its update (the paper's «single forward»).
class PrimeObjective final : public GrpoObjective {
 public:
  explicit PrimeObjective(const ObjectiveContext& context)
      : GrpoObjective(context), settings_(config_.prime), reward_model_(frozen_copy(policy_)), reference_(frozen_copy(policy_)) {
    outcome_ = judging_function(reward_names(), settings_.outcome_reward);
  }

  std::vector<TrainedModel> models() override {
    auto all = GrpoObjective::models();
    all.push_back(
        {.name = "process_reward_model", .arenas = reward_model_->parameters(), .optim = settings_.optim, .own_pass = reward_model_.get()});
    return all;
  }

  LossOutput model_loss(const TrainedModel&, const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    Batch own = micro;
    own.ref_logprobs = micro.columns.at("process_reference");
    return prime_loss(outputs.logprobs, first_of_sequences(micro.columns.at("outcome"), micro), own, normalizer, settings_.prime);
  }

 protected:
  Metrics add_advantages(Batch& batch, const Experience& experience, const RolloutInfo& rollout) override {
    const LogprobOptions options{.temperature = rollout.temperature};
    const at::Tensor learnt = outputs_of_all_ranks(*reward_model_, batch, options, max_tokens(), communicator_).logprobs,
                     reference = outputs_of_all_ranks(*reference_, batch, options, max_tokens(), communicator_).logprobs;
    const at::Tensor labels = scores_of(experience).select(1, static_cast<int64_t>(outcome_)).clamp(0.0, 1.0).to(at::kFloat);  // NaN stays
    const at::Tensor rewards = implicit_process_rewards(learnt, reference, settings_.prime.prime_beta);
    batch.advantages = prime_advantages(rewards, labels, batch, settings_.prime);
    batch.columns["process_reference"] = reference;
    batch.columns["outcome"] = labels.index_select(0, at::tensor(batch.sequence_of));
    const double tokens = std::max(batch.mask.sum().item<double>(), 1.0);
    return {{"prime/process_reward_mean", (rewards * batch.mask).sum().item<double>() / tokens}};
  }

 private:
  PrimeSection settings_;
  size_t outcome_ = 0;  // the reward function that tells right from wrong
  std::unique_ptr<Transformer> reward_model_, reference_;
};

}  // namespace

std::unique_ptr<Objective> make_prime_objective(const ObjectiveContext& context) { return std::make_unique<PrimeObjective>(context); }

}  // namespace grpo
