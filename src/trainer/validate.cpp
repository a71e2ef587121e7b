#include <algorithm>
#include <set>

#include "grpo/core/error.h"
#include "grpo/trainer/config.h"

namespace grpo {
namespace {

/// Collects contradictions, one line each.
class Faults {
 public:
  void need(bool good, const std::string& what) {
    if (!good) text_ += (text_.empty() ? "" : "\n") + what;
  }
  /// Runs a part's own validate and takes over its message.
  template <class Check>
  void run(const Check& check) {
    try {
      check();
    } catch (const Error& error) {
      need(false, error.what());
    }
  }
  void raise() const {
    if (!text_.empty()) throw Error(text_, ErrorKind::kUsage);
  }

 private:
  std::string text_;
};

void check_source(Faults& faults, const std::string& name, const DataSource& s) {
  faults.need(s.path.empty() || s.task.empty(), name + ": expected a path or a task, not both");
  faults.need(s.task.empty() || s.count > 0, name + ".count: expected how many problems to generate");
  faults.need(s.split == "train" || s.split == "test", name + ".split: expected train or test; got '" + s.split + "'");
}

void check_model(Faults& faults, const ModelSection& m) {
  const auto& n = m.new_model;
  faults.need(!m.path.empty() || n.hidden_size > 0, "model: expected a path, or the shape of a new model under model.new");
  faults.need(m.path.empty() || n.hidden_size == 0, "model: expected a path or model.new, not both");
  faults.need(!m.exact || m.compute_dtype != ModelSection::ComputeDType::kBFloat16,
              "model.exact: expected compute_dtype float32, in which the sampler computes");
  faults.run([&] { validate(m.lora); });
  const bool adapted = m.lora.rank > 0 || !m.lora.path.empty();
  faults.need(!adapted || !m.path.empty(), "model.lora: expected model.path: adapters are saved without the base, which must be on disk");
  faults.need(!adapted || !m.exact, "model.lora: expected model.exact off: the sampler folds adapters into its weights");
  faults.need(m.lora.rank == 0 || m.lora.path.empty(), "model.lora: expected a rank for new adapters or a path, not both");
  faults.need(!m.exact || m.device != ModelSection::Device::kCuda, "model.exact: expected device cpu");
  if (n.hidden_size > 0) {
    faults.need(n.num_hidden_layers > 0 && n.intermediate_size > 0 && n.num_attention_heads > 0,
                "model.new: expected num_hidden_layers, intermediate_size and num_attention_heads");
    faults.need(n.num_attention_heads == 0 || n.hidden_size % n.num_attention_heads == 0,
                "model.new: num_attention_heads must divide hidden_size");
  }
}

void check_rewards(Faults& faults, const Config& c) {
  std::set<std::string> names;
  for (const auto& r : c.reward) {
    faults.need(!r.name.empty(), "reward: expected a name for each function");
    faults.need(names.insert(r.name).second,
                "reward: the name '" + r.name + "' is given twice; use 'function' to call one function by two names");
  }
  const auto& a = c.algorithm;
  for (const auto& [option, name] : {std::pair("dynamic_sampling_reward", a.dynamic_sampling_reward),
                                     {"prime.outcome_reward", a.prime.outcome_reward},
                                     {"step_reward", a.step_reward}}) {
    faults.need(name.empty() || names.contains(name), "algorithm." + std::string(option) + ": no reward is called '" + name + "'");
  }
  faults.need(c.algorithm.advantage.reward_weights.empty() || c.algorithm.advantage.reward_weights.size() == c.reward.size(),
              "algorithm.reward_weights: expected one per reward function");
}

void check_training(Faults& faults, const Config& c) {
  const auto& a = c.algorithm;
  const auto& s = c.rollout.sampling;
  const int64_t group = s.num_generations;
  faults.need(!c.reward.empty(), "reward: expected at least one function");
  const auto estimator = a.advantage.advantage_estimator;
  using Type = AlgorithmSection::ObjectiveType;
  const bool alone = a.objective == Type::kPpo || a.objective == Type::kExpertIteration || a.objective == Type::kReinforcePlusPlus ||
                     a.objective == Type::kRemax || estimator == AdvantageEstimator::kReinforcePlusPlus ||
                     estimator == AdvantageEstimator::kRemax;
  faults.need(group >= 2 || alone, "rollout.num_generations: expected at least 2, since advantages compare a group's samples");
  faults.need(
      estimator != AdvantageEstimator::kPassAtK || a.advantage.pass_k < group,
      "algorithm.pass_k: expected fewer than num_generations " + std::to_string(group) + "; got " + std::to_string(a.advantage.pass_k));
  const bool by_steps = estimator == AdvantageEstimator::kProcessSupervision;
  faults.need(!by_steps || a.objective == Type::kGrpo,
              "algorithm.advantage_estimator: expected the objective grpo with process_supervision");
  faults.need(by_steps || a.step_reward.empty(), "algorithm.step_reward: expected advantage_estimator process_supervision");
  faults.need(group < 1 || a.generation_batch_size % group == 0,
              "algorithm.generation_batch_size: expected a multiple of num_generations " + std::to_string(group) + "; got " +
                  std::to_string(a.generation_batch_size));
  faults.need(a.generation_batch_size % a.steps_per_generation == 0,
              "algorithm.steps_per_generation: expected a divisor of generation_batch_size " + std::to_string(a.generation_batch_size));
  faults.need(!s.greedy(), "rollout.temperature: expected a temperature above 0 for training");
  faults.need(!s.reshapes() || c.rollout.allow_off_policy_sampling,
              "rollout: top_k, top_p, min_p and repetition_penalty sample from another distribution than the one that is trained; "
              "set rollout.allow_off_policy_sampling if that is meant");
  const bool partial = c.rollout.partial_rollout_length > 0;
  const bool rounded = c.rollout.compute_dtype != ComputeDType::kFloat32 || c.rollout.kv_dtype != KvDType::kFloat32;
  faults.need(!(rounded || partial) || a.loss.importance_sampling_correction || c.rollout.allow_off_policy_sampling,
              "rollout: compute_dtype and kv_dtype other than float32, and partial_rollout_length, sample from another distribution than "
              "the one that is trained; keep algorithm.importance_sampling_correction on, or set rollout.allow_off_policy_sampling if that "
              "is meant");
  // A whole sample is as old in its last update as its rollout has updates before; one that waited once is older by a rollout.
  const int64_t updates = a.steps_per_generation * a.num_iterations, least = (partial ? 2 * updates : updates) - 1;
  faults.need(!a.max_staleness || *a.max_staleness >= least, "algorithm.max_staleness: expected at least " + std::to_string(least) +
                                                                 ", the age of " + (partial ? "a sample that waited once" : "a rollout") +
                                                                 " in its last update; got " + std::to_string(a.max_staleness.value_or(0)));
  const bool adapted = c.model.lora.rank > 0 || !c.model.lora.path.empty();
  faults.need(a.accuracy_lower_bound <= a.accuracy_upper_bound, "algorithm.accuracy_lower_bound: expected at most accuracy_upper_bound");
  const bool filters = a.accuracy_lower_bound > 0.0 || a.accuracy_upper_bound < 1.0;
  faults.need(!filters || a.dynamic_sampling, "algorithm.accuracy_lower_bound, accuracy_upper_bound: expected dynamic_sampling on");
  const auto named = estimator_of(a.objective);
  faults.need(!named || a.advantage.advantage_estimator == AdvantageEstimator::kGroup || a.advantage.advantage_estimator == *named,
              "algorithm.advantage_estimator: expected none beside an objective that names one");
  faults.need(!a.sync_ref_model || a.loss.beta > 0.0 || a.objective == Type::kOnlineDpo,
              "algorithm.sync_ref_model: expected beta above 0; without a KL there is no reference");
  faults.need(!a.sync_ref_model || !adapted, "algorithm.sync_ref_model: expected no LoRA, under which the base is the reference");
  faults.run([&] { validate(a.loss); });
  faults.run([&] { validate(a.advantage); });
  faults.run([&] { validate(a.loss, a.advantage); });
}

void check_preferences(Faults& faults, const Config& c) {
  const auto& task = c.data.train.task;
  faults.need(
      task.empty() || task == "chained_arithmetic",
      "data.train: expected a path, to a file with columns chosen and rejected, or the task chained_arithmetic; got '" + task + "'");
  faults.need(!c.data.demonstrations, "data.demonstrations: only for supervised training");
}

}  // namespace

std::optional<AdvantageEstimator> estimator_of(AlgorithmSection::ObjectiveType objective) {
  switch (objective) {
    case AlgorithmSection::ObjectiveType::kRloo:
      return AdvantageEstimator::kRloo;
    case AlgorithmSection::ObjectiveType::kReinforcePlusPlus:
      return AdvantageEstimator::kReinforcePlusPlus;
    case AlgorithmSection::ObjectiveType::kRemax:
      return AdvantageEstimator::kRemax;
    default:
      return std::nullopt;
  }
}

void validate(const Config& c, Command command) {
  Faults faults;
  check_model(faults, c.model);
  check_source(faults, "data.train", c.data.train);
  check_source(faults, "eval.data", c.eval.data);
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
    check_preferences(faults, c);
  } else {
    faults.need(!c.data.demonstrations || c.data.train.task == "chained_arithmetic",
                "data.demonstrations: expected the task chained_arithmetic; got '" + c.data.train.task + "'");
  }
  faults.raise();
}

}  // namespace grpo
