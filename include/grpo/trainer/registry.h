#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grpo/algorithm/estimator_registry.h"
#include "grpo/algorithm/loss_registry.h"
#include "grpo/api.h"
#include "grpo/data/factory_table.h"
#include "grpo/data/tasks.h"
#include "grpo/objective/registry.h"
#include "grpo/optim/registry.h"
#include "grpo/reward/registry.h"

namespace GRPO_API grpo {

class ConfigSource;
class DatasetReader;
class MetricSink;
class ModelFamily;
class Schedule;
struct Config;
struct ScheduleStep;
struct SinkContext;
struct TrainerSection;

/// A subcommand of the program: it gets the arguments behind its name and gives the exit status.
struct OwnCommand {
  std::string about;
  std::function<int(const std::vector<std::string>&)> run;
};

/// The parts that a config can name, and commands: the built-in ones, and yours. Every kind goes by one recipe,
///
///     registry.add_reward<MyReward>("mine");     // a class, constructed from its `const NamedOptions&` if it takes them
///     registry.add_reward("mine", factory);      // or what makes one of its options
///
/// and the config names it, its options beside: a name that is taken is a usage error, an unknown one too, with the nearest.
struct Registry {
  RewardRegistry rewards;                                      // reward[].function, or its name; options
  TaskRegistry tasks{"task"};                                  // data.train.task; options
  FactoryTable<DatasetReader> readers{"reader"};               // the ending of data.train.path, or its format; format_options
  LossRegistry losses{"loss"};                                 // algorithm.custom_loss; custom_loss_options
  EstimatorRegistry estimators{"advantage estimator"};         // algorithm.advantage_estimator; advantage_options
  ObjectiveRegistry objectives{"objective"};                   // algorithm.objective; objective_options
  OptimizerRegistry optimizers{"optimizer"};                   // optim.optimizer; optimizer_options
  FactoryTable<Schedule> schedules{"schedule"};                // optim.lr_scheduler_type; lr_scheduler_kwargs
  FactoryTable<MetricSink, const SinkContext&> sinks{"sink"};  // trainer.report_to; report_to_options
  FactoryTable<ModelFamily> families{"model family"};          // model_type in a model's config.json
  std::map<std::string, OwnCommand> commands;                  // beside the program's own

  template <class R>
  void add_reward(const std::string& name) {
    rewards.add<R>(name);
  }
  /// A factory, or a function that judges a completion: see `RewardRegistry::add`.
  template <class F>
  void add_reward(std::string name, F function) {
    rewards.add(std::move(name), std::move(function));
  }
  template <class T>
  void add_task(const std::string& name) {
    tasks.add<T>(name);
  }
  void add_task(std::string name, TaskRegistry::Factory factory) { tasks.add(std::move(name), std::move(factory)); }
  template <class R>
  void add_reader(const std::string& ending) {
    readers.add<R>(ending);
  }
  void add_reader(std::string ending, decltype(readers)::Factory factory) { readers.add(std::move(ending), std::move(factory)); }
  template <class Term>
  void add_loss(const std::string& name) {
    losses.add<Term>(name);
  }
  void add_loss(std::string name, LossRegistry::Factory factory) { losses.add(std::move(name), std::move(factory)); }
  template <class E>
  void add_advantage(const std::string& name) {
    estimators.add<E>(name);
  }
  void add_advantage(std::string name, EstimatorRegistry::Factory factory) { estimators.add(std::move(name), std::move(factory)); }
  template <class O>
  void add_objective(const std::string& name) {
    objectives.add<O>(name);
  }
  void add_objective(std::string name, ObjectiveRegistry::Factory factory) { objectives.add(std::move(name), std::move(factory)); }
  template <class O>
  void add_optimizer(const std::string& name) {
    optimizers.add<O>(name);
  }
  void add_optimizer(std::string name, OptimizerRegistry::Factory factory) { optimizers.add(std::move(name), std::move(factory)); }
  template <class S>
  void add_schedule(const std::string& name) {
    schedules.add<S>(name);
  }
  void add_schedule(std::string name, decltype(schedules)::Factory factory) { schedules.add(std::move(name), std::move(factory)); }
  /// A schedule without options: the share of the peak rate at an update.
  void add_schedule(std::string name, std::function<double(const ScheduleStep&)> factor);
  template <class S>
  void add_sink(const std::string& name) {
    sinks.add<S>(name);
  }
  void add_sink(std::string name, decltype(sinks)::Factory factory) { sinks.add(std::move(name), std::move(factory)); }
  template <class F>
  void add_model_family(const std::string& model_type) {
    families.add<F>(model_type);
  }
  void add_model_family(std::string model_type, decltype(families)::Factory factory) {
    families.add(std::move(model_type), std::move(factory));
  }
  /// `about` is what the program's help says of it.
  void add_command(const std::string& name, std::string about, std::function<int(const std::vector<std::string>&)> run);

  /// Every kind with its names, built-in ones among them.
  PartTables names() const;
};

Registry builtin_registry();

/// `config_source()` that knows the registry's parts: a config that names others is refused with its line.
ConfigSource config_source(const Registry& registry);
/// Throws a usage error if the config names a part that the registry does not have, or gives a schedule or a sink other options than it
/// has.
void check_parts(const Config& config, const Registry& registry);

/// The options of a sink of trainer.report_to; throws a usage error if there are options of others.
NamedOptions sink_options(const TrainerSection& section, const std::string& sink);

}  // namespace grpo
