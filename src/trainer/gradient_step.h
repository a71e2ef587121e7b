#pragma once

#include <functional>

#include "grpo/algorithm/loss.h"
#include "grpo/core/metrics.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "objective/trained_models.h"

namespace grpo {

/// One optimiser step, whatever is trained: gradients begin at zero, passes over micro-batches add to them, then they are summed over ranks
/// and every model is updated.
class GradientStep {
 public:
  GradientStep(Transformer& policy, TrainedModels& models, Communicator& communicator);

  /// Forward and backward of a model over a micro-batch. The policy's losses add up to the step's. Once a signal to stop is five seconds
  /// old, passes are left out and `apply` throws on all ranks: a step that is nearly done is finished, a long one abandoned.
  void pass(Transformer& model, const PackedTokens& micro, const BackwardOptions& options,
            const std::function<LossOutput(const TokenOutputs&)>& loss_fn);
  /// A figure of the step beside those of its losses.
  void add(const Tallies& tallies) { merge(tallies_, tallies); }

  /// Ends step `step` (0 = first) of `total_steps`; the policy moves only if `moves_policy` says so. Gives the loss, the losses' figures,
  /// grad_norm and learning_rate. Throws if the loss or a gradient is not finite: weights then keep their values. Every rank calls it.
  Metrics apply(int64_t step, int64_t total_steps, bool moves_policy = true);

 private:
  Transformer& policy_;
  TrainedModels& models_;
  Communicator& communicator_;
  double loss_ = 0.0;
  bool abandoned_ = false;
  Tallies tallies_;
};

}  // namespace grpo
