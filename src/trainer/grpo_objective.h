#pragma once

#include "grpo/algorithm/adaptive_entropy.h"
#include "trainer/objective.h"
#include "trainer/reference.h"

namespace grpo {

/// GRPO (Shao et al., 2402.03300) with every loss of `loss_table()` and every advantage estimator; what other policy-gradient objectives
/// build on. Where beta > 0 there is a reference policy; with several updates per rollout old log-probs are noted.
class GrpoObjective : public Objective {
 public:
  explicit GrpoObjective(const ObjectiveContext& context);

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
  double temperature() const { return config_.rollout.sampling.temperature; }
  int64_t max_tokens() const { return config_.trainer.max_tokens; }

  Transformer& policy_;
  Config config_;
  Communicator& communicator_;

 private:
  at::Tensor entropies_in_loss(const Batch& share);

  bool needs_old_;
  AdaptiveEntropy adaptive_entropy_;
  ReferencePolicy reference_;
};

/// The groups of rollouts, and rewards by function, [S, F] float64.
std::vector<int64_t> groups_of(const std::vector<Rollout>& rollouts);
at::Tensor reward_tensor(const ScoredBatch& scores);

/// TRL's reward figures.
void reward_metrics(const ScoredBatch& scores, const std::vector<int64_t>& groups, const Config& config,
                    std::map<std::string, double>& metrics);

}  // namespace grpo
