#pragma once

#include "grpo/algorithm/adaptive_entropy.h"
#include "grpo/algorithm/adaptive_kl.h"
#include "grpo/algorithm/policy_term.h"
#include "trainer/objective.h"
#include "trainer/reference.h"

namespace grpo {

/// GRPO (Shao et al., 2402.03300) with every loss of `loss_table()` and every advantage estimator; what other policy-gradient objectives
/// build on. Where beta > 0 there is a reference policy; with several updates per rollout old log-probs are noted.
class GrpoObjective : public Objective {
 public:
  /// `needs_reference`: there is one with beta 0 too.
  explicit GrpoObjective(const ObjectiveContext& context, bool needs_reference = false);

  Batch prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) override;
  LossNormalizer normalizer(const Batch& share, int64_t micro_batches) override;
  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override;
  std::vector<SideModel> models() override { return reference_.models(); }
  void end_step(int64_t step, std::map<std::string, double>& metrics) override;
  std::vector<double> state() const override;
  void restore(const std::vector<double>& state) override;

 protected:
  /// Fills batch.advantages; log-probs of the sampling policy and of the reference are there already, where they are needed.
  virtual void add_advantages(Batch& batch, const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics);
  /// The weighted sum of each sample's rewards, [S] float64; NaN where none is defined.
  at::Tensor weighted_rewards(const ScoredBatch& scores) const;
  /// What the tokens' rewards have beside the outcome, [M]: −beta · KL where the config puts it there; else undefined.
  at::Tensor token_rewards(const Batch& batch, std::map<std::string, double>& metrics) const;
  BatchOptions batch_options();
  double temperature() const { return temperature_; }
  int64_t max_tokens() const { return config_.trainer.max_tokens; }

  Transformer& policy_;
  Config config_;
  Communicator& communicator_;
  ReferencePolicy reference_;

 private:
  void add_statistics(LossNormalizer& normalizer, const Batch& share);

  const double& temperature_;
  bool needs_old_;
  AdaptiveEntropy adaptive_entropy_;
  AdaptiveKl adaptive_kl_;
  std::unique_ptr<PolicyTerm> custom_loss_;
  double sequences_ = 0;   // of the last optimiser step, over all ranks
  uint64_t rollouts_ = 0;  // prepared so far
};

/// The groups of rollouts, and rewards by function, [S, F] float64.
std::vector<int64_t> groups_of(const std::vector<Rollout>& rollouts);
at::Tensor reward_tensor(const ScoredBatch& scores);

/// TRL's reward figures.
void reward_metrics(const ScoredBatch& scores, const std::vector<int64_t>& groups, const Config& config,
                    std::map<std::string, double>& metrics);

}  // namespace grpo
