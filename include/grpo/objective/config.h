#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "grpo/algorithm/config.h"
#include "grpo/algorithm/objective_config.h"
#include "grpo/api.h"
#include "grpo/optim/config.h"

namespace GRPO_API grpo {

/// What trains a critic or a process reward model: larger steps than the policy's, at a constant rate.
inline OptimConfig side_optim(double learning_rate) { return {.learning_rate = learning_rate, .lr_scheduler_type = "constant"}; }

/// Of the objective ppo.
struct PpoSection {
  GaeConfig gae = {.cliprange_value = 0.5};
  bool share_backbone = false;
  double vf_coef = 0.1;
  int64_t value_warmup_steps = 0;
  OptimConfig optim = side_optim(1e-5);
};

/// Of the objective prime.
struct PrimeSection {
  PrimeConfig prime;
  std::string outcome_reward;
  OptimConfig optim = side_optim(1e-6);
};

/// Of the objective expert_iteration.
struct ExpertIterationSection {
  double reward_threshold = 1.0;
  bool best_of_group = false;
};

/// The config's section `algorithm`. `describe` documents its options, and configs/README.md lists them.
struct AlgorithmSection {
  std::string objective = "grpo";
  NamedOptions objective_options = {};
  PpoSection ppo;
  PrimeSection prime;
  DpoConfig dpo;
  ExpertIterationSection expert_iteration;
  LossConfig loss;
  AdvantageConfig advantage;
  std::string step_reward;
  int64_t generation_batch_size = 64;
  int64_t steps_per_generation = 1;
  int64_t num_iterations = 1;
  std::optional<int64_t> max_staleness;
  bool mask_truncated_completions = false;
  bool sync_ref_model = false;
  double ref_model_mixup_alpha = 0.6;
  int64_t ref_model_sync_steps = 512;
  bool offload_ref_model = false;
  bool dynamic_sampling = false;
  int64_t dynamic_sampling_rounds = 2;
  std::string dynamic_sampling_reward;
  double accuracy_lower_bound = 0.0;
  double accuracy_upper_bound = 1.0;
  double replay_fraction = 0.0;
  double replay_max_pass_rate = 0.0;
  double curriculum_max_pass_rate = 1.0;
  std::string pass_rate_reward;

  int64_t updates_per_rollout() const { return steps_per_generation * num_iterations; }
};

void describe(ConfigVisitor& visitor, AlgorithmSection& section);

/// Throws a usage error with a line for each option that is set and has no effect under the section's objective, loss and estimator.
void refuse_unused(const AlgorithmSection& section);
/// The same for a training without an objective, which is called `training`: of the options of objectives it uses `used` (JSON pointers)
/// alone. How rollouts are collected may stand in its config all the same.
void refuse_all_but(const AlgorithmSection& section, std::span<const std::string_view> used, std::string_view training);

/// What `algorithm.objective` may be, for people.
struct ObjectiveRow {
  std::string_view name;  // in configs
  Description description;
};

/// Every built-in objective.
std::span<const ObjectiveRow> objective_table();
/// Whether that is the name of one.
bool is_builtin_objective(std::string_view name);

/// The advantage estimator that an objective's name stands for; nothing if it stands for none.
std::optional<std::string> estimator_of(std::string_view objective);

}  // namespace grpo
