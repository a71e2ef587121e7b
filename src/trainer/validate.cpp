#include <algorithm>
#include <set>
#include <span>
#include <string>

#include "core/faults.h"
#include "grpo/core/error.h"
#include "grpo/trainer/config.h"

namespace grpo {
namespace {

void check_rewards(Faults& faults, const Config& c) {
  std::set<std::string> names;
  for (const auto& r : c.reward) {
    faults.need(!r.name.empty(), "reward: expected a name for each function");
    faults.need(names.insert(r.name).second,
                "reward: the name '" + r.name + "' is given twice; use 'function' to call one function by two names");
  }
  const auto& a = c.algorithm;
  for (const auto& [option, name] : {std::pair("dynamic_sampling_reward", a.dynamic_sampling_reward),
                                     {"pass_rate_reward", a.pass_rate_reward},
                                     {"prime.outcome_reward", a.prime.outcome_reward},
                                     {"step_reward", a.step_reward}}) {
    faults.need(name.empty() || names.contains(name), "algorithm." + std::string(option) + ": no reward is called '" + name + "'");
  }
  const auto& weights = c.algorithm.advantage.reward_weights;
  faults.need(weights.empty() || weights.size() == c.reward.size(), "algorithm.reward_weights: expected one per reward function");
  for (size_t i = 0; i < std::min(weights.size(), c.reward.size()); ++i) {
    faults.need(c.reward[i].weight == 1.0 || c.reward[i].weight == weights[i],
                "algorithm.reward_weights: expected weights there or as reward[].weight; got two for '" + c.reward[i].name + "'");
  }
}

/// How many samples a group, a rollout and an optimiser step have.
void check_counts(Faults& faults, const AlgorithmSection& a, int64_t group) {
  const std::string& estimator = a.advantage.advantage_estimator;
  const bool own = !is_builtin_objective(a.objective) || !is_builtin_estimator(estimator);
  const bool alone = own || a.objective == "ppo" || a.objective == "expert_iteration" || a.objective == "reinforce_plus_plus" ||
                     a.objective == "remax" || estimator == "reinforce_plus_plus" || estimator == "remax";
  faults.need(group >= 2 || alone, "rollout.num_generations: expected at least 2, since advantages compare a group's samples");
  faults.need(
      estimator != "pass_at_k" || a.advantage.pass_k < group,
      "algorithm.pass_k: expected fewer than num_generations " + std::to_string(group) + "; got " + std::to_string(a.advantage.pass_k));
  const bool by_steps = estimator == "process_supervision";
  faults.need(!by_steps || a.objective == "grpo" || !is_builtin_objective(a.objective),
              "algorithm.advantage_estimator: expected the objective grpo with process_supervision");
  faults.need(group < 1 || a.generation_batch_size % group == 0,
              "algorithm.generation_batch_size: expected a multiple of num_generations " + std::to_string(group) + "; got " +
                  std::to_string(a.generation_batch_size));
  faults.need(a.generation_batch_size % a.steps_per_generation == 0,
              "algorithm.steps_per_generation: expected a divisor of generation_batch_size " + std::to_string(a.generation_batch_size));
  faults.need(group >= 2 || !a.dynamic_sampling,
              "algorithm.dynamic_sampling: expected num_generations of at least 2, since the rewards of one sample cannot differ");
}

/// Whether what is sampled is what is trained on.
void check_sampling(Faults& faults, const Config& c) {
  const auto& a = c.algorithm;
  const auto& s = c.rollout.sampling;
  faults.need(!s.greedy(), "rollout.temperature: expected a temperature above 0 for training");
  faults.need(!s.reshapes() || c.rollout.allow_off_policy_sampling,
              "rollout: top_k, top_p, min_p and repetition_penalty sample from another distribution than the one that is trained; "
              "set rollout.allow_off_policy_sampling if that is meant");
  const bool partial = c.rollout.partial_rollout_length > 0;
  const bool rounded = c.rollout.compute_dtype != ComputeDType::kFloat32 || c.rollout.kv_dtype != KvDType::kFloat32;
  faults.refuse(c.model.exact && rounded, "model.exact: expected rollout.compute_dtype and kv_dtype float32, in which training computes");
  faults.need(!(rounded || partial) || a.loss.importance_sampling_correction || c.rollout.allow_off_policy_sampling,
              "rollout: compute_dtype and kv_dtype other than float32, and partial_rollout_length, sample from another distribution than "
              "the one that is trained; keep algorithm.importance_sampling_correction on, or set rollout.allow_off_policy_sampling if that "
              "is meant");
  // A whole sample is as old in its last update as its rollout has updates before; one that waited once is older by a rollout.
  const int64_t updates = a.updates_per_rollout(), least = (partial ? 2 * updates : updates) - 1;
  faults.need(!a.max_staleness || *a.max_staleness >= least, "algorithm.max_staleness: expected at least " + std::to_string(least) +
                                                                 ", the age of " + (partial ? "a sample that waited once" : "a rollout") +
                                                                 " in its last update; got " + std::to_string(a.max_staleness.value_or(0)));
}

void check_algorithm(Faults& faults, const AlgorithmSection& a, bool adapted) {
  faults.need(a.accuracy_lower_bound <= a.accuracy_upper_bound, "algorithm.accuracy_lower_bound: expected at most accuracy_upper_bound");
  const auto named = estimator_of(a.objective);
  faults.need(!named || a.advantage.advantage_estimator == "group" || a.advantage.advantage_estimator == *named,
              "algorithm.advantage_estimator: expected none beside an objective that names one");
  faults.need(!a.sync_ref_model || !adapted, "algorithm.sync_ref_model: expected no LoRA, under which the base is the reference");
  faults.run([&] { validate(a.loss); });
  faults.run([&] { refuse_unused(a); });
  AdvantageConfig advantage = a.advantage;
  if (named) advantage.advantage_estimator = *named;
  faults.run([&] { validate(advantage); });
  faults.run([&] { validate(a.loss, advantage); });
}

void check_training(Faults& faults, const Config& c) {
  faults.need(!c.reward.empty(), "reward: expected at least one function");
  check_counts(faults, c.algorithm, c.rollout.sampling.num_generations);
  check_sampling(faults, c);
  check_algorithm(faults, c.algorithm, c.model.lora.rank > 0 || !c.model.lora.path.empty());
}

void check_preferences(Faults& faults, const Config& c, Command command) {
  static constexpr std::string_view kDpo[] = {"/dpo/", "/sync_ref_model", "/ref_model_", "/offload_ref_model"};
  const bool dpo = command == Command::kDpo;
  faults.run([&] {
    refuse_all_but(c.algorithm, dpo ? std::span(kDpo) : std::span<const std::string_view>(), dpo ? "grpo dpo" : "grpo reward-model");
  });
  const auto& task = c.data.train.task;
  faults.need(
      task.empty() || task == "chained_arithmetic",
      "data.train: expected a path, to a file with columns chosen and rejected, or the task chained_arithmetic; got '" + task + "'");
  faults.need(!c.data.demonstrations, "data.demonstrations: only for supervised training");
}

}  // namespace

int64_t examples_per_step(const Config& c, Command command) {
  return command == Command::kTrain ? c.algorithm.generation_batch_size / c.algorithm.steps_per_generation : c.trainer.batch_size;
}

void check_step_size(const Config& c, Command command, int64_t processes) {
  const auto &device = c.trainer.per_device_train_batch_size, &steps = c.trainer.gradient_accumulation_steps;
  if (!device && !steps) return;
  const int64_t wanted = device.value_or(8) * steps.value_or(1), done = examples_per_step(c, command);
  if (wanted * processes == done) return;
  const std::string option = command == Command::kTrain ? "algorithm.generation_batch_size / steps_per_generation" : "trainer.batch_size";
  fail_usage("trainer", "expected per_device_train_batch_size " + std::to_string(device.value_or(8)) + " * gradient_accumulation_steps " +
                            std::to_string(steps.value_or(1)) + " * processes " + std::to_string(processes) + " = " + option +
                            ", what one optimiser step learns from; got " + std::to_string(wanted * processes) + " and " +
                            std::to_string(done) + ". Set " + option + " to what is meant, or leave both out");
}

void validate(const Config& c, Command command) {
  Faults faults;
  faults.run([&] { validate(c.model); });
  faults.run([&] { validate(c.data.train, "data.train"); });
  faults.run([&] { validate(c.eval.data, "eval.data"); });
  faults.run([&] { validate(c.data.prompt); });
  faults.run([&] { validate(c.rollout.sampling); });
  check_rewards(faults, c);
  const bool evaluates = c.eval.eval_steps > 0 || c.eval.at_start || c.eval.at_end;
  faults.need(!evaluates || !c.eval.data.path.empty() || !c.eval.data.task.empty(), "eval: expected eval.data");
  faults.need(!evaluates || !c.reward.empty(), "eval: expected at least one reward function");
  faults.need(!c.trainer.output_dir.empty(), "trainer.output_dir: expected a folder");
  if (command == Command::kTrain) {
    check_training(faults, c);
    faults.need(!c.data.demonstrations, "data.demonstrations: only for supervised training");
  } else if (command == Command::kDpo || command == Command::kRewardModel) {
    check_preferences(faults, c, command);
  } else {
    faults.run([&] { refuse_all_but(c.algorithm, {}, "grpo sft"); });
    faults.need(!c.data.demonstrations || c.data.train.task == "chained_arithmetic",
                "data.demonstrations: expected the task chained_arithmetic; got '" + c.data.train.task + "'");
  }
  faults.raise_lines();
}

}  // namespace grpo
