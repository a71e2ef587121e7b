#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "grpo/algorithm/prime.h"
#include "grpo/core/error.h"
#include "trainer/frozen.h"
#include "trainer/objectives.h"

namespace grpo {
namespace {

/// PRIME (Cui et al., 2502.01456): a process reward model that is a language model itself, r_t = beta (log p_phi − log p_ref), learns
/// online from outcomes alone; its token rewards and the outcome make the advantages. Both models begin as the policy. A rollout's rewards
/// are those of the reward model before its update (the paper's «single forward»).
class PrimeObjective final : public GrpoObjective {
 public:
  explicit PrimeObjective(const ObjectiveContext& context)
      : GrpoObjective(context), settings_(config_.algorithm.prime), reward_model_(frozen_copy(policy_)), reference_(frozen_copy(policy_)) {
    outcome_ = outcome_function(config_.reward, settings_.outcome_reward);
  }

  std::vector<SideModel> models() override {
    auto all = GrpoObjective::models();
    all.push_back(
        {.name = "process_reward_model", .arenas = reward_model_->parameters(), .optim = &settings_.optim, .pass = reward_model_.get()});
    return all;
  }

  LossOutput model_loss(const SideModel&, const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    Batch own = micro;
    own.ref_logprobs = micro.columns.at("process_reference");
    return prime_loss(outputs.logprobs, first_of_sequences(micro.columns.at("outcome"), micro), own, normalizer, settings_.prime);
  }

 protected:
  void add_advantages(Batch& batch, const SampledBatch&, const ScoredBatch& scores, std::map<std::string, double>& metrics) override {
    const LogprobOptions options{.temperature = temperature()};
    const at::Tensor learnt = shared_outputs(*reward_model_, batch, options, max_tokens(), communicator_).logprobs,
                     reference = shared_outputs(*reference_, batch, options, max_tokens(), communicator_).logprobs;
    std::vector<double> outcomes = scores.per_function.at(outcome_);
    for (double& outcome : outcomes) outcome = std::clamp(outcome, 0.0, 1.0);  // NaN stays
    const at::Tensor labels = at::tensor(outcomes, at::kFloat);
    const at::Tensor rewards = implicit_process_rewards(learnt, reference, settings_.prime.prime_beta);
    metrics["prime/process_reward_mean"] = (rewards * batch.mask).sum().item<double>() / std::max(batch.mask.sum().item<double>(), 1.0);
    batch.advantages = prime_advantages(rewards, labels, batch, settings_.prime);
    batch.columns["process_reference"] = reference;
    batch.columns["outcome"] = labels.index_select(0, at::tensor(batch.samples));
  }

 private:
  PrimeSection settings_;
  size_t outcome_ = 0;  // the reward function that tells right from wrong
  std::unique_ptr<Transformer> reward_model_, reference_;
};

}  // namespace

std::unique_ptr<Objective> make_prime_objective(const ObjectiveContext& context) { return std::make_unique<PrimeObjective>(context); }

}  // namespace grpo
