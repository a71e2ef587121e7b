#include <ATen/TensorOperators.h>

#include "objective/make_objective.h"

namespace grpo {
namespace {

/// Rejection-sampling fine-tuning (RAFT, Dong et al., 2304.06767; expert iteration, Anthony et al., 1705.08439): supervised learning on the
/// policy's own good completions, loss = −Σ log p / tokens. Every completion whose reward reaches the threshold counts, or of each group
/// only the best such one.
class ExpertIterationObjective final : public GrpoObjective {
 public:
  using GrpoObjective::GrpoObjective;

  PreparedBatch prepare(const Experience& experience, const RolloutInfo& rollout) override {
    PreparedBatch prepared{.batch = {}, .metrics = reward_metrics(experience)};
    const auto chosen = choose(experience);
    prepared.metrics["expert_iteration/kept"] = static_cast<double>(chosen.size()) / static_cast<double>(count_samples(experience));
    if (!chosen.empty()) prepared.batch = make_batch(experience, {}, batch_options(rollout)).select(chosen);
    return prepared;
  }

  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    LossOutput out;
    out.loss = (outputs.logprobs * micro.mask).sum().div(-normalizer.tokens);
    out.metrics["entropy"] = {.value = (outputs.entropy.detach() * micro.mask).sum().item<double>(),
                              .count = micro.mask.sum().item<double>()};
    return out;
  }

 private:
  /// Numbers of samples, ascending.
  std::vector<int64_t> choose(const Experience& experience) const {
    const auto& settings = config_.expert_iteration;
    std::vector<int64_t> chosen;
    int64_t number = 0;
    for (const Group& group : experience) {
      const Sample* best = nullptr;
      for (const Sample& sample : group.samples) {
        const int64_t here = number++;
        if (!(sample.reward >= settings.reward_threshold)) continue;  // without a verdict too
        const bool better = best == nullptr || sample.reward > best->reward;
        if (settings.best_of_group && !better) continue;
        if (settings.best_of_group && best != nullptr) chosen.pop_back();
        if (better) best = &sample;
        chosen.push_back(here);
      }
    }
    return chosen;
  }
};

}  // namespace

std::unique_ptr<Objective> make_expert_iteration_objective(const ObjectiveContext& context) {
  return std::make_unique<ExpertIterationObjective>(context);
}

}  // namespace grpo
