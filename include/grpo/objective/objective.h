#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/estimator_registry.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/loss_registry.h"
#include "grpo/api.h"
#include "grpo/core/metrics.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/objective/config.h"
#include "grpo/objective/registry.h"
#include "grpo/objective/trained_model.h"
#include "grpo/policy/experience.h"
#include "grpo/reward/config.h"

namespace GRPO_API grpo {

class ConfigVisitor;
class Tokenizer;

/// What an objective may use.
struct ObjectiveContext {
  Transformer& policy;  // that is trained
  const Tokenizer& tokenizer;
  const AlgorithmSection& config;
  const std::vector<RewardFunction>& rewards;
  int64_t updates_per_rollout;
  int64_t max_tokens;             // of a forward pass
  int64_t max_completion_length;  // of a sample
  uint64_t seed;                  // of the run
  Communicator& communicator;
  const LossRegistry& losses;           // that custom_loss names
  const EstimatorRegistry& estimators;  // that advantage_estimator names
};

/// Which rollout an objective works on.
struct RolloutInfo {
  int64_t number = 0;        // rollouts that were prepared before it
  double temperature = 1.0;  // that it was sampled at
};

/// A rollout made ready for its optimiser steps.
struct PreparedBatch {
  Batch batch;  // without sequences: there is nothing to learn from
  Metrics metrics;
};

/// What is optimised: GRPO and its relatives, each one word in the config. Subclass it and register it:
/// `registry.add_objective<Mine>("mine")`, constructed from (objective_options, context), or from the context alone; what a context refers
/// to outlives the objective, the context itself does not. One that changes a part of a built-in objective makes that
/// (`builtin_objectives().make("grpo", context)`) and hands on the rest.
class Objective {
 public:
  virtual ~Objective() = default;

  /// From the scored samples of all ranks to a batch to train on, with everything that its loss reads, forward passes included: equal on
  /// all ranks. Every rank calls it.
  virtual PreparedBatch prepare(const Experience& experience, const RolloutInfo& rollout) = 0;
  /// So many consecutive sequences of that batch stay in one optimiser step, on one rank and in one micro-batch.
  virtual int64_t sequences_per_example() const { return 1; }
  /// The normaliser of one optimiser step of which this rank has `share`, cut into `micro_batches`. Every rank calls it.
  virtual LossNormalizer normalizer(const Batch& share, int64_t micro_batches, const RolloutInfo& rollout) = 0;
  /// The loss of a micro-batch of an optimiser step with that normaliser; gradients flow into `outputs`.
  virtual LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) = 0;

  /// What it trains, or must keep, beside the policy's weights. The trainer owns their optimisers and checkpoints.
  virtual std::vector<TrainedModel> models() { return {}; }
  /// The loss of a micro-batch for a model that has a forward pass of its own.
  virtual LossOutput model_loss(const TrainedModel& model, const TokenOutputs& outputs, const Batch& micro,
                                const LossNormalizer& normalizer);
  /// Whether samples need the reward of a greedy completion of their prompt.
  virtual bool needs_greedy() const { return false; }
  /// Whether the policy's pass is to give the value head's values.
  virtual bool values_with_policy() const { return false; }
  /// Whether optimiser step `step` (0 = first) moves the policy; false while a critic is warmed up.
  virtual bool moves_policy(int64_t /*step*/) const { return true; }

  /// Ends optimiser step `step` (1 = first), which had these metrics; gives further ones. Every step ends, with or without an update.
  virtual Metrics end_step(int64_t /*step*/, const Metrics& /*metrics*/) { return {}; }
  /// What a checkpoint must keep of the objective, beside models.
  virtual void describe_state(ConfigVisitor& /*visitor*/) {}
};

}  // namespace grpo
