#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "grpo/io/safetensors.h"
#include "grpo/optim/optimizer.h"
#include "run/run_folder.h"

namespace grpo {

class ConfigVisitor;
class Transformer;

/// Describes what else a kind of training keeps: a section of trainer_state.json.
using DescribeState = std::function<void(ConfigVisitor&)>;

/// A figure that waits for its line of metrics.jsonl.
struct PendingFigure {
  std::string name;
  std::optional<double> sum;  // null: not a number
  int64_t count = 0;
  bool operator==(const PendingFigure&) const = default;
};

/// What every run needs, beside weights and moments, to go on as if it had not stopped.
struct TrainerState {
  int64_t steps_done = 0;
  int64_t total_steps = 0;
  int64_t rollouts_done = 0;  // prepared for training
  int64_t items_taken = 0;    // of the data
  int64_t optimizer_steps = 0;
  int64_t evaluated_step = -1;  // the step after which the last evaluation was logged
  double train_seconds = 0;
  double tokens_seen = 0;
  LogSizes logs;
  std::vector<PendingFigure> pending_metrics;    // of the steps since the last line
  std::vector<std::string> pending_completions;  // for the next line
  bool operator==(const TrainerState&) const = default;
};

/// Flat buffers by arena as a file's entries: arena.<number>.<kind>, float32, wherever and of whatever type the buffers are.
class ArenaEntries {
 public:
  void add(size_t arena, const std::string& kind, const at::Tensor& flat);
  /// What the optimizer keeps of each arena.
  void add_buffers(const Optimizer& optimizer);
  const std::vector<TensorEntry>& get() const { return entries_; }

 private:
  std::vector<TensorEntry> entries_;
  std::vector<at::Tensor> owned_;  // what the entries point at
};
/// And back. Checking throws if one is missing or not of the size of `like`; reading, which wants it checked, writes into the buffer itself
/// and lets the file's pages go, so that it takes no memory beside.
void check_arena(const Safetensors& file, size_t arena, const std::string& kind, const at::Tensor& like);
void read_arena(const Safetensors& file, size_t arena, const std::string& kind, const at::Tensor& to);
void check_buffers(const Safetensors& file, const Optimizer& optimizer);
void read_buffers(const Safetensors& file, int64_t steps_done, Optimizer& optimizer);

/// optimizer.safetensors (what the optimizer keeps of each arena) and trainer_state.json in `folder`.
void save_trainer_state(const std::filesystem::path& folder, const TrainerState& state, const Optimizer& optimizer,
                        const DescribeState& more);

/// Loads weights, moments and state from a checkpoint folder, straight into their buffers; these keep their values until the names and
/// sizes of all that is to be read were checked.
TrainerState load_checkpoint(const std::filesystem::path& folder, Transformer& model, Optimizer& optimizer, const DescribeState& more);

}  // namespace grpo
