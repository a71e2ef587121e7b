#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/loss.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/reward/score.h"
#include "grpo/trainer/config.h"
#include "grpo/trainer/evaluation.h"
#include "grpo/trainer/registry.h"
#include "trainer/side_models.h"

namespace grpo {

/// What an objective may use.
struct ObjectiveContext {
  Transformer& policy;  // that is trained
  const Config& config;
  int64_t updates_per_rollout;
  Communicator& communicator;
  const LossRegistry& losses;  // that custom_loss names
  const double& temperature;   // of the rollout that is trained on
};

/// What is optimised: GRPO and its relatives, each one word in the config.
class Objective {
 public:
  virtual ~Objective() = default;

  /// From the scored rollouts of all ranks to a batch to train on, with everything that its loss reads, forward passes included: equal on
  /// all ranks. No sequences: there is nothing to learn from. Adds its figures to `metrics`. Every rank calls it.
  virtual Batch prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) = 0;
  /// So many consecutive sequences of that batch stay in one optimiser step, on one rank and in one micro-batch.
  virtual int64_t sequences_per_unit() const { return 1; }
  /// The normaliser of one optimiser step of which this rank has `share`, cut into `micro_batches`. Every rank calls it.
  virtual LossNormalizer normalizer(const Batch& share, int64_t micro_batches) = 0;
  /// The loss of a micro-batch of an optimiser step with that normaliser; gradients flow into `outputs`.
  virtual LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) = 0;

  /// What it trains, or must keep, beside the policy's weights. The trainer owns their optimisers and checkpoints.
  virtual std::vector<SideModel> models() { return {}; }
  /// The loss of a micro-batch for a side model that has a pass of its own.
  virtual LossOutput model_loss(const SideModel& model, const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer);
  /// Whether the policy's pass is to give the value head's values.
  virtual bool values_with_policy() const { return false; }
  /// Whether optimiser step `step` (0 = first) moves the policy; false while a critic is warmed up.
  virtual bool moves_policy(int64_t /*step*/) const { return true; }

  /// Ends optimiser step `step` (1 = first), which had these metrics, and may add to them.
  virtual void end_step(int64_t /*step*/, std::map<std::string, double>& /*metrics*/) {}
  /// What a checkpoint must keep of the objective, beside models.
  virtual std::vector<double> state() const { return {}; }
  virtual void restore(const std::vector<double>& /*state*/) {}
};

/// The objective that `config.algorithm.objective` names.
std::unique_ptr<Objective> make_objective(const ObjectiveContext& context);

}  // namespace grpo
