#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "trainer/run_folder.h"

namespace grpo {

class AdamW;
class Transformer;

/// What a run needs, beside weights and moments, to go on as if it had not stopped.
struct TrainerState {
  int64_t steps_done = 0;
  int64_t total_steps = 0;
  int64_t rollouts_done = 0;
  int64_t items_taken = 0;
  int64_t optimizer_steps = 0;
  double train_seconds = 0;
  double tokens_seen = 0;
  std::vector<double> objective;
  LogSizes logs;
};

/// optimizer.safetensors (both moments of each arena) and trainer_state.json in `folder`.
void save_trainer_state(const std::filesystem::path& folder, const TrainerState& state, const AdamW& optimizer);

/// Loads weights, moments and state from a checkpoint folder; weights keep their values until everything was read and checked.
TrainerState load_checkpoint(const std::filesystem::path& folder, Transformer& model, AdamW& optimizer);

}  // namespace grpo
