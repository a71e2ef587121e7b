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
#include "grpo/objective/trained_model.h"
#include "grpo/optim/optimizer.h"
#include "grpo/optim/schedule.h"

namespace grpo {

/// All trained models of a run: their optimisers, schedules, gradients over ranks and checkpoints. The policy is the first.
class TrainedModels {
 public:
  /// `policy` has an optimiser. The registries, which outlive this, make optimisers and schedules.
  TrainedModels(TrainedModel policy, const OptimizerRegistry& optimizers, const ScheduleRegistry& schedules);

  /// Takes over what the objective has beside the policy; every rank gets rank 0's weights of it.
  void add(std::vector<TrainedModel> models, Communicator& communicator);

  /// The models beside the policy.
  std::span<const TrainedModel> beside_policy() const { return std::span(models_).subspan(1); }
  Optimizer& policy_optimizer() { return *optimizers_.front(); }
  const Optimizer& policy_optimizer() const { return *optimizers_.front(); }
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
  void add(TrainedModel model);

  const OptimizerRegistry& makes_optimizers_;
  const ScheduleRegistry& makes_schedules_;
  std::vector<std::unique_ptr<Optimizer>> optimizers_;  // null for models that are not trained
  std::vector<std::unique_ptr<Schedule>> schedules_;    // likewise
};

}  // namespace grpo
