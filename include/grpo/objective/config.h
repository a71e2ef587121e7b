#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "grpo/algorithm/config.h"
#include "grpo/algorithm/objective_config.h"
#include "grpo/optim/config.h"

namespace grpo {

/// What trains a critic or a process reward model: larger steps than the policy's, at a constant rate.
inline OptimConfig side_optim(double learning_rate) {
  return {.learning_rate = learning_rate, .lr_scheduler_type = OptimConfig::Schedule::kConstant};
}

struct PpoSection {
  GaeConfig gae = {.cliprange_value = 0.5};
  bool share_backbone = false;     // the value head sits on the policy itself; else the critic is a model of its own
  double vf_coef = 0.1;            // weight of the value loss beside the policy's, where they share a backbone
  int64_t value_warmup_steps = 0;  // optimiser steps in which only the critic learns (VAPO: 50)
  OptimConfig optim = side_optim(1e-5);
};

struct PrimeSection {
  PrimeConfig prime;
  std::string outcome_reward;  // the reward function in [0, 1] that tells right from wrong; empty = accuracy, or else the first
  OptimConfig optim = side_optim(1e-6);
};

struct ExpertIterationSection {
  double reward_threshold = 1.0;  // completions of at least this weighted reward are learnt from
  bool best_of_group = false;     // only the best one of each group
};

/// The config's section `algorithm`.
struct AlgorithmSection {
  enum class ObjectiveType { kGrpo, kPpo, kPrime, kRloo, kReinforcePlusPlus, kRemax, kOnlineDpo, kExpertIteration };
  ObjectiveType objective = ObjectiveType::kGrpo;
  PpoSection ppo;
  PrimeSection prime;
  DpoConfig dpo;
  ExpertIterationSection expert_iteration;
  LossConfig loss;
  AdvantageConfig advantage;
  std::string step_reward;             // process_supervision: the reward function whose steps count; empty = the first that gives some
  int64_t generation_batch_size = 64;  // completions sampled per rollout
  int64_t steps_per_generation = 1;    // optimiser steps that a rollout is cut into
  int64_t num_iterations = 1;          // passes over a rollout
  /// Partial rollouts: a group is dropped where the last optimiser step that would train on it is more than so many after its first token.
  std::optional<int64_t> max_staleness;
  bool mask_truncated_completions = false;
  bool sync_ref_model = false;          // refresh the reference of the KL while training
  double ref_model_mixup_alpha = 0.6;   // share of the policy in the refreshed reference (TR-DPO, 2404.09656); 1 = a copy (R1)
  int64_t ref_model_sync_steps = 512;   // optimiser steps between refreshes (R1: 400)
  bool offload_ref_model = false;       // keep its weights in host memory between its uses on a GPU
  bool dynamic_sampling = false;        // replace groups whose rewards are all equal
  int64_t dynamic_sampling_rounds = 2;  // refills at most, then train on what there is
  std::string dynamic_sampling_reward;  // judge by this reward function alone; empty = by the weighted sum
  double accuracy_lower_bound = 0.0;    // dynamic sampling drops groups whose mean reward, judged so, lies outside (PRIME: 0.2 … 0.8)
  double accuracy_upper_bound = 1.0;
  double replay_fraction = 0.0;           // share of a rollout's problems that are hard ones seen before
  double replay_max_pass_rate = 0.0;      // a problem is hard at a pass rate of at most this
  double curriculum_max_pass_rate = 1.0;  // problems that were solved more often than this are passed over
  std::string pass_rate_reward;           // the reward function in [0, 1] that pass rates are of; empty = accuracy, or else the first
};

void describe(ConfigVisitor& visitor, AlgorithmSection& section);

/// Throws a usage error with a line for each option that is set and has no effect under the section's objective, loss and estimator.
void refuse_unused(const AlgorithmSection& section);
/// The same for a training without an objective, which is called `training`: of the options of objectives it uses `used` (JSON pointers)
/// alone. How rollouts are collected may stand in its config all the same.
void refuse_all_but(const AlgorithmSection& section, std::span<const std::string_view> used, std::string_view training);

/// What `algorithm.objective` may be, for people.
struct ObjectiveRow {
  AlgorithmSection::ObjectiveType objective;
  std::string_view name;  // in configs
  Description description;
};

/// Every objective, in the order of ObjectiveType.
std::span<const ObjectiveRow> objective_table();

/// The advantage estimator that an objective's name stands for, where it does.
std::optional<AdvantageEstimator> estimator_of(AlgorithmSection::ObjectiveType objective);

}  // namespace grpo
