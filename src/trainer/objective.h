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

namespace grpo {

/// What is optimised: GRPO and its relatives, each one word in the config.
class Objective {
 public:
  virtual ~Objective() = default;

  /// From the scored rollouts of all ranks to a batch to train on; adds its figures to `metrics`.
  virtual Batch prepare(const SampledBatch& sampled, const ScoredBatch& scores, std::map<std::string, double>& metrics) = 0;
  /// Adds to a part of that batch what costs a forward pass: log-probs of the sampling policy and of the reference.
  virtual void note_logprobs(Batch& part) = 0;
  /// The loss of a micro-batch of an optimiser step with that normaliser; gradients flow into `outputs`.
  virtual LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) = 0;
  /// The normaliser of one optimiser step of which this rank has `share`, cut into `micro_batches`. Every rank calls it.
  virtual LossNormalizer normalizer(const Batch& share, int64_t micro_batches) = 0;
  /// Ends an optimiser step that had these metrics, and may add to them.
  virtual void end_step(std::map<std::string, double>& /*metrics*/) {}
  /// What a checkpoint must keep of the objective, beside weights.
  virtual std::vector<double> state() const { return {}; }
  virtual void restore(const std::vector<double>& /*state*/) {}
};

/// GRPO (Shao et al., 2402.03300) with every loss of `loss_table()`. `policy` is the model that is trained; where beta > 0, a frozen copy
/// of its present weights is the reference. `updates_per_rollout` > 1 makes it note old log-probs. `losses` knows custom_loss.
std::unique_ptr<Objective> make_grpo_objective(Transformer& policy, const Config& config, int64_t updates_per_rollout,
                                               Communicator& communicator, const LossRegistry& losses);

/// The log-probs (and entropies, where asked for) of a batch without gradient, micro-batch by micro-batch, [M].
TokenOutputs frozen_outputs(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens);
at::Tensor frozen_logprobs(Transformer& model, const Batch& batch, double temperature, int64_t max_tokens);

}  // namespace grpo
