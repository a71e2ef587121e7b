#include <ATen/ops/tensor.h>

#include <algorithm>

#include "objective/make_objective.h"
#include "objective/pair_loss.h"

namespace grpo {
namespace {

/// Online DPO (Guo et al., 2402.04792): of each group the best and the worst completion are a preference pair; the loss is DPO's or IPO's
/// against the reference. Groups whose rewards are all equal have no pair, nor has a group of whose two completions one is masked.
class OnlineDpoObjective final : public GrpoObjective {
 public:
  explicit OnlineDpoObjective(const ObjectiveContext& context) : GrpoObjective(context, true) {}

  PreparedBatch prepare(const Experience& experience, const RolloutInfo& rollout) override {
    PreparedBatch prepared{.batch = {}, .metrics = reward_metrics(experience)};
    auto pairs = preference_pairs(rewards_of(experience), groups_of(experience));
    const auto masked = masked_samples(experience);
    std::erase_if(pairs, [&](const PreferencePair& pair) {
      return masked[static_cast<size_t>(pair.chosen)] || masked[static_cast<size_t>(pair.rejected)];
    });
    prepared.metrics["dpo/pairs"] = static_cast<double>(pairs.size());
    if (pairs.empty()) return prepared;
    Batch all = make_batch(experience, {}, batch_options(rollout));
    std::vector<float> chosen(static_cast<size_t>(all.num_sequences()), 0.0F);
    std::vector<int64_t> both;
    for (const auto& pair : pairs) {
      chosen[static_cast<size_t>(pair.chosen)] = 1.0F;
      both.insert(both.end(), {pair.chosen, pair.rejected});
    }
    all.columns["chosen"] = at::tensor(chosen).index_select(0, at::tensor(all.sequence_of));
    prepared.batch = all.select(both);  // groups are adjacent, so pairs are
    prepared.batch.ref_logprobs = reference_.logprobs(prepared.batch, rollout.temperature, max_tokens(), communicator_);
    return prepared;
  }

  int64_t sequences_per_example() const override { return 2; }

  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    return pair_loss(outputs.logprobs, micro, normalizer.sequences / 2.0, config_.dpo);
  }

 private:
  std::vector<bool> masked_samples(const Experience& experience) const {
    std::vector<bool> masked;
    for (const Group& group : experience) {
      for (const Sample& sample : group.samples)
        masked.push_back(config_.mask_truncated_completions && sample.finish == FinishReason::kLength);
    }
    return masked;
  }
};

}  // namespace

std::unique_ptr<Objective> make_online_dpo_objective(const ObjectiveContext& context) {
  return std::make_unique<OnlineDpoObjective>(context);
}

}  // namespace grpo
