#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "trainer/objectives.h"

namespace grpo {
namespace {

/// Rejection-sampling fine-tuning (RAFT, Dong et al., 2304.06767; expert iteration, Anthony et al., 1705.08439): supervised learning on the
/// policy's own good completions, loss = −Σ log p / tokens. Every completion whose reward reaches the threshold counts, or of each group
/// only the best such one.
class ExpertIterationObjective final : public GrpoObjective {
 public:
  using GrpoObjective::GrpoObjective;

  Batch prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) override {
    const auto groups = groups_of(sampled.rollouts);
    reward_metrics(scores, groups, config_, metrics);
    const auto chosen = choose(scores.rewards, groups);
    metrics["expert_iteration/kept"] = static_cast<double>(chosen.size()) / static_cast<double>(groups.size());
    if (chosen.empty()) return {};
    const Batch all = make_batch(sampled.rollouts, {}, batch_options());
    return all.select(chosen);
  }

  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    LossOutput out;
    out.loss = (outputs.logprobs * micro.mask).sum().div(-normalizer.tokens);
    out.metrics["entropy"] = {.value = (outputs.entropy.detach() * micro.mask).sum().item<double>(),
                              .count = micro.mask.sum().item<double>()};
    return out;
  }

 private:
  std::vector<int64_t> choose(const std::vector<double>& rewards, const std::vector<int64_t>& groups) const {
    const auto& settings = config_.algorithm.expert_iteration;
    std::map<int64_t, int64_t> best;  // by group
    std::vector<int64_t> chosen;
    for (size_t i = 0; i < rewards.size(); ++i) {
      if (!(rewards[i] >= settings.reward_threshold)) continue;  // undefined ones fail too
      const auto number = static_cast<int64_t>(i);
      chosen.push_back(number);
      const auto [it, fresh] = best.emplace(groups[i], number);
      if (!fresh && rewards[i] > rewards[static_cast<size_t>(it->second)]) it->second = number;
    }
    if (!settings.best_of_group) return chosen;
    chosen.clear();
    for (const auto& [group, number] : best) chosen.push_back(number);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }
};

}  // namespace

std::unique_ptr<Objective> make_expert_iteration_objective(const ObjectiveContext& context) {
  return std::make_unique<ExpertIterationObjective>(context);
}

}  // namespace grpo
