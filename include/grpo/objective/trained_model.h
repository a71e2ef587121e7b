#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/config.h"

namespace GRPO_API grpo {

/// Weights that a run trains or must keep: the policy, and what an objective has beside it, such as a critic, a process reward model, or a
/// reference that moves.
struct TrainedModel {
  std::string name;                       // of its file in checkpoints and of its metrics
  std::vector<ParameterArena*> arenas;    // what its optimiser updates, and what checkpoints keep
  std::optional<OptimConfig> optim = {};  // none: no gradient trains it
  Transformer* own_pass = nullptr;        // the model, where it has a forward and backward pass of its own; null: it shares the policy's
  bool values = false;                    // its pass gives values; false: log-probs
};

}  // namespace grpo
