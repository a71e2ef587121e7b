#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "grpo/core/metrics.h"
#include "grpo/dist/communicator.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"

namespace grpo {

/// Weights that a run trains or must keep: the policy, and what an objective has beside it, such as a critic, a process reward model, or a
/// reference that moves.
struct TrainedModel {
  std::string name;                       // of its file in checkpoints and of its metrics
  std::vector<ParameterArena*> arenas;    // what its optimiser updates, and what checkpoints keep
  std::optional<OptimConfig> optim = {};  // none: no gradient trains it
  Transformer* own_pass = nullptr;        // the model, where it has a forward and backward pass of its own; null: it shares the policy's
  bool values = false;                    // its pass gives values; false: log-probs
};

/// All of a run: their optimisers, schedules, gradients over ranks and checkpoints. The policy is the first.
class TrainedModels {
 public:
  /// `policy` has an optimiser.
  explicit TrainedModels(TrainedModel policy);

  /// Takes over what the objective has beside the policy; every rank gets rank 0's weights of it.
  void add(std::vector<TrainedModel> models, Communicator& communicator);

  /// The models beside the policy.
  std::span<const TrainedModel> beside_policy() const { return std::span(models_).subspan(1); }
  AdamW& policy_optimizer() { return *optimizers_.front(); }
  const AdamW& policy_optimizer() const { return *optimizers_.front(); }
  /// The weights of all of them, the policy's first.
  std::vector<ParameterArena*> arenas() const;
  /// Counts writes to any of their weights.
  int64_t version() const;
  /// Throws if a weight is not finite; `step` is for the message.
  void expect_finite(int64_t step) const;

  void zero_grad();
  /// Every rank's gradients become their sum over ranks.
  void sum_gradients(Communicator& communicator);
  /// One update of each model by its own schedule, `step` (0 = first) of `total_steps`; of the policy only if `policy` says so. Gives
  /// grad_norm and learning_rate, for models beside the policy as <name>/…. Throws if a gradient is not finite.
  Metrics update(int64_t step, int64_t total_steps, bool policy);
  /// Frees the policy's gradients.
  void release_gradients();

  /// <name>.safetensors in `folder` for each model beside the policy: weights by arena, moments, updates done. Checking throws if a file is
  /// missing or of other sizes; loading checks again and writes straight into the buffers.
  void save(const std::filesystem::path& folder) const;
  void check(const std::filesystem::path& folder) const;
  void load(const std::filesystem::path& folder);
  /// What weights and moments of all models, the policy's too, take in a checkpoint.
  int64_t checkpoint_bytes() const;

 private:
  Safetensors checked_file(const std::filesystem::path& folder, size_t model) const;

  std::vector<TrainedModel> models_;
  std::vector<std::unique_ptr<AdamW>> optimizers_;  // null for models that are not trained
};

}  // namespace grpo
