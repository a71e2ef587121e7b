#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"

namespace grpo {

/// A model of an objective's beside the policy: a critic, a process reward model, a reference that moves.
struct SideModel {
  std::string name;                     // of its file in checkpoints and of its metrics
  std::vector<ParameterArena*> arenas;  // what checkpoints keep and, where it is trained, what its optimiser updates
  const OptimConfig* optim = nullptr;   // null: no gradient trains it
  Transformer* pass = nullptr;          // what has a forward and backward of its own; null: it is part of the policy's
  bool values = false;                  // its pass gives values; false: log-probs
};

/// Their optimisers, gradients over ranks and checkpoints: the trainer's, whatever the objective.
class SideModels {
 public:
  explicit SideModels(std::vector<SideModel> models);

  const std::vector<SideModel>& models() const { return models_; }
  /// Counts writes to any of their weights.
  int64_t version() const;
  void zero_grad();
  /// Every rank's gradients become their sum over ranks.
  void sum_gradients(Communicator& communicator);
  /// Every rank gets rank 0's weights.
  void broadcast(Communicator& communicator);
  /// One update of each trained model by its own schedule, `step` of `total_steps`; adds <name>/grad_norm and <name>/learning_rate. Throws
  /// where a gradient is not finite.
  void update(int64_t step, int64_t total_steps, std::map<std::string, double>& metrics);

  /// <name>.safetensors in `folder` for each: weights by arena, moments, updates done. Loading checks sizes and throws where one is
  /// missing.
  void save(const std::filesystem::path& folder) const;
  void load(const std::filesystem::path& folder);

 private:
  std::vector<SideModel> models_;
  std::vector<std::unique_ptr<AdamW>> optimizers_;  // null for models that are not trained
};

}  // namespace grpo
