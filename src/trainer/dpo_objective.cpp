#include <ATen/ops/tensor.h>

#include <algorithm>

#include "trainer/objectives.h"
#include "trainer/pair_loss.h"

namespace grpo {
namespace {

/// Online DPO (Guo et al., 2402.04792): of each group the best and the worst completion are a preference pair; the loss is DPO's or IPO's
/// against the reference. Groups whose rewards are all equal have no pair.
class OnlineDpoObjective final : public GrpoObjective {
 public:
  explicit OnlineDpoObjective(const ObjectiveContext& context) : GrpoObjective(context, true) {}

  Batch prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) override {
    const auto groups = groups_of(sampled.rollouts);
    reward_metrics(scores, groups, config_, metrics);
    const auto pairs = preference_pairs(weighted_rewards(scores), groups);
    metrics["dpo/pairs"] = static_cast<double>(pairs.size());
    if (pairs.empty()) return {};
    Batch all = make_batch(sampled.rollouts, {}, batch_options());
    std::vector<float> chosen(groups.size(), 0.0F);
    std::vector<int64_t> both;
    for (const auto& pair : pairs) {
      chosen[static_cast<size_t>(pair.chosen)] = 1.0F;
      both.insert(both.end(), {pair.chosen, pair.rejected});
    }
    all.columns["chosen"] = at::tensor(chosen).index_select(0, at::tensor(all.samples));
    Batch batch = all.select(both);  // groups are adjacent, so pairs are
    batch.ref_logprobs = reference_.logprobs(batch, temperature(), max_tokens(), communicator_);
    return batch;
  }

  int64_t sequences_per_unit() const override { return 2; }

  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    return pair_loss(outputs.logprobs, micro, normalizer.sequences / 2.0, config_.algorithm.dpo);
  }
};

}  // namespace

std::unique_ptr<Objective> make_online_dpo_objective(const ObjectiveContext& context) {
  return std::make_unique<OnlineDpoObjective>(context);
}

}  // namespace grpo
