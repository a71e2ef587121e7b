#pragma once

#include "grpo/algorithm/adaptive_entropy.h"
#include "grpo/algorithm/adaptive_kl.h"
#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/policy_term.h"
#include "grpo/objective/objective.h"
#include "objective/reference.h"

namespace grpo {

/// GRPO (Shao et al., 2402.03300) with every loss of `loss_table()` and every advantage estimator; what other policy-gradient objectives
/// build on. With beta above 0 there is a reference policy; with several updates per rollout old log-probs are noted.
class GrpoObjective : public Objective {
 public:
  /// `needs_reference`: there is one with beta 0 too.
  explicit GrpoObjective(const ObjectiveContext& context, bool needs_reference = false);

  PreparedBatch prepare(const Experience& experience, const RolloutInfo& rollout) override;
  LossNormalizer normalizer(const Batch& share, int64_t micro_batches, const RolloutInfo& rollout) override;
  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override;
  std::vector<TrainedModel> models() override { return reference_.models(); }
  bool needs_greedy() const override { return estimator_->needs().greedy; }
  Metrics end_step(int64_t step, const Metrics& metrics) override;
  void describe_state(ConfigVisitor& visitor) override;

 protected:
  /// Fills batch.advantages and gives their figures; log-probs of the sampling policy and of the reference are there already, where they
  /// are needed.
  virtual Metrics add_advantages(Batch& batch, const Experience& experience, const RolloutInfo& rollout);
  /// What the tokens' rewards have beside the outcome, [M]: −beta · KL where the config puts it there, with its figure; else undefined.
  at::Tensor token_rewards(const Batch& batch, Metrics& metrics) const;
  BatchOptions batch_options(const RolloutInfo& rollout) const;
  /// TRL's reward figures.
  Metrics reward_metrics(const Experience& experience) const;
  std::vector<std::string> reward_names() const;
  int64_t max_tokens() const { return max_tokens_; }

  Transformer& policy_;
  AlgorithmSection config_;
  std::vector<RewardFunction> rewards_;
  Communicator& communicator_;
  ReferencePolicy reference_;

 private:
  void add_statistics(LossNormalizer& normalizer, const Batch& share, const RolloutInfo& rollout);

  const Tokenizer& tokenizer_;
  int64_t max_tokens_, max_completion_length_;
  uint64_t seed_;
  bool needs_old_;
  AdaptiveEntropy adaptive_entropy_;
  AdaptiveKl adaptive_kl_;
  std::unique_ptr<PolicyTerm> custom_loss_;
  std::unique_ptr<AdvantageEstimator> estimator_;
  double sequences_ = 0;  // of the last optimiser step, over all ranks
};

}  // namespace grpo
