#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/interrupt.h"
#include "grpo/data/source.h"
#include "grpo/io/json_config.h"
#include "grpo/objective/config.h"
#include "grpo/optim/config.h"
#include "grpo/policy/config.h"
#include "grpo/reward/config.h"
#include "grpo/rollout/config.h"

namespace GRPO_API grpo {

/// The config's section `trainer`. `describe` documents its options, and configs/README.md lists them.
struct TrainerSection {
  std::string output_dir = "runs/run";
  int64_t seed = 42;
  int64_t max_steps = 0;
  double num_train_epochs = 1.0;
  int64_t max_tokens = 8192;
  int64_t batch_size = 32;
  std::optional<int64_t> per_device_train_batch_size;
  std::optional<int64_t> gradient_accumulation_steps;
  enum class Recompute { kAuto, kNone, kAll };
  Recompute recompute = Recompute::kAuto;
  double activation_gib = 2.0;
  std::vector<std::string> report_to = {"tensorboard"};
  NamedOptions report_to_options = {};
  int64_t logging_steps = 1;
  int64_t save_steps = 0;
  double save_minutes = 0.0;
  int64_t save_total_limit = 2;
  int64_t log_completions = 4;
  enum class SaveDType { kFloat32, kBFloat16, kFloat16 };
  SaveDType save_dtype = SaveDType::kFloat32;
  bool shuffle_rewards = false;
  double max_seconds = 0.0;
  int64_t max_num_tokens = 0;
  int64_t ddp_timeout = 1800;
  OnSignal on_signal = OnSignal::kAbandon;
};

void describe(ConfigVisitor& visitor, TrainerSection& section);

/// Everything that `grpo train` and `grpo sft` read.
struct Config {
  ModelSection model;
  DataSection data;
  std::vector<RewardFunction> reward;
  RolloutSection rollout;
  AlgorithmSection algorithm;
  OptimConfig optim;
  TrainerSection trainer;
  EvalSection eval;
};

void describe(ConfigVisitor& visitor, Config& config);

/// Short names: TRL's flat keys and where they stand here.
const ConfigAliases& config_aliases();
/// What else users of TRL and transformers type, and what to do instead.
const ForeignNames& foreign_names();
/// The latter as a Markdown table.
std::string foreign_reference();
/// What reads configs: `config_source().add_file("run.json")`, with all of these names.
inline ConfigSource config_source() { return ConfigSource(config_aliases(), foreign_names()); }

enum class Command { kTrain, kSft, kDpo, kRewardModel };

/// Completions of reinforcement learning, or examples of other training, that one optimiser step learns from, over all processes.
int64_t examples_per_step(const Config& config, Command command);
/// Throws a usage error if per_device_train_batch_size * gradient_accumulation_steps * processes is given and is another number.
void check_step_size(const Config& config, Command command, int64_t processes);

/// Throws one usage error with every contradiction, before a weight is loaded.
void validate(const Config& config, Command command);

}  // namespace grpo
