#include "grpo/trainer/registry.h"

#include <memory>

#include "core/faults.h"
#include "grpo/algorithm/config.h"
#include "grpo/core/error.h"
#include "grpo/data/dataset.h"
#include "grpo/model/family.h"
#include "grpo/optim/schedule.h"
#include "grpo/run/metric_sink.h"
#include "grpo/trainer/config.h"
#include "policy/model_reward.h"

namespace grpo {
namespace {

class FunctionSchedule final : public Schedule {
 public:
  explicit FunctionSchedule(std::function<double(const ScheduleStep&)> factor) : factor_(std::move(factor)) {}
  double factor(const ScheduleStep& step) const override { return factor_(step); }

 private:
  std::function<double(const ScheduleStep&)> factor_;
};

}  // namespace

void Registry::add_schedule(std::string name, std::function<double(const ScheduleStep&)> factor) {
  schedules.add(name, [name, factor = std::move(factor)](const NamedOptions& options) {
    expect_no_options(name, options);
    return std::make_unique<FunctionSchedule>(factor);
  });
}

void Registry::add_command(const std::string& name, std::string about, std::function<int(const std::vector<std::string>&)> run) {
  const bool added = commands.emplace(name, OwnCommand{std::move(about), std::move(run)}).second;
  if (!added) fail_usage("command", "expected a new name; got '" + name + "', which exists already");
}

PartTables Registry::names() const {
  PartTables tables = {{rewards.kind(), "reward[].function", rewards.names()},
                       {tasks.kind(), "data.train.task", tasks.names()},
                       {readers.kind(), "data.train.format", readers.names()},
                       {"loss_type", "algorithm.loss_type", names_of(loss_table())},
                       {losses.kind(), "algorithm.custom_loss", losses.names()},
                       {estimators.kind(), "algorithm.advantage_estimator", estimators.names()},
                       {objectives.kind(), "algorithm.objective", objectives.names()},
                       {optimizers.kind(), "optim.optimizer", optimizers.names()},
                       {schedules.kind(), "optim.lr_scheduler_type", schedules.names()},
                       {sinks.kind(), "trainer.report_to", sinks.names()},
                       {families.kind(), "model_type in a model's config.json", families.names()},
                       {"command", "the command line", {}}};
  for (const auto& [name, command] : commands) tables.back().names.push_back(name);
  return tables;
}

Registry builtin_registry() {
  Registry registry;
  registry.rewards = builtin_rewards();
  registry.rewards.add("reward_model", make_model_reward);
  registry.tasks = builtin_tasks();
  registry.readers = builtin_readers();
  registry.estimators = builtin_estimators();
  registry.objectives = builtin_objectives();
  registry.optimizers = builtin_optimizers();
  registry.schedules = builtin_schedules();
  registry.sinks = builtin_sinks();
  registry.families = builtin_families();
  return registry;
}

ConfigSource config_source(const Registry& registry) {
  ConfigSource source = config_source();
  source.know(registry.names());
  return source;
}

NamedOptions sink_options(const TrainerSection& section, const std::string& sink) {
  NamedOptions wanted;
  read_options("trainer.report_to_options", section.report_to_options, [&](ConfigVisitor& visitor) {
    for (const auto& name : section.report_to) {
      NamedOptions other;
      visitor.options(name, name == sink ? wanted : other, "");
    }
  });
  return wanted;
}

void check_parts(const Config& config, const Registry& registry) {
  const PartTables tables = registry.names();
  Faults faults;
  const auto need = [&](bool known, const std::string& option, const std::string& kind, const std::string& name) {
    faults.need(known || name.empty(), option + ": " + unknown_part(tables, kind, name));
  };
  for (size_t i = 0; i < config.reward.size(); ++i) {
    const auto name = config.reward[i].registry_name();
    need(registry.rewards.contains(name), "reward[" + std::to_string(i) + "].function", registry.rewards.kind(), name);
  }
  for (const auto& [option, source] : {std::pair("data.train", &config.data.train), std::pair("eval.data", &config.eval.data)}) {
    need(registry.tasks.contains(source->task), std::string(option) + ".task", registry.tasks.kind(), source->task);
    need(registry.readers.contains(source->format.name), std::string(option) + ".format", registry.readers.kind(), source->format.name);
  }
  const auto& a = config.algorithm;
  need(registry.objectives.contains(a.objective), "algorithm.objective", registry.objectives.kind(), a.objective);
  const auto& estimator = a.advantage.advantage_estimator;
  need(registry.estimators.contains(estimator), "algorithm.advantage_estimator", registry.estimators.kind(), estimator);
  const auto& loss = a.loss.custom_loss;
  need(registry.losses.contains(loss), "algorithm.custom_loss", registry.losses.kind(), loss);
  for (const auto& [option, optim] : {std::pair("optim", &config.optim), std::pair("algorithm.ppo.optim", &config.algorithm.ppo.optim),
                                      std::pair("algorithm.prime.optim", &config.algorithm.prime.optim)}) {
    need(registry.optimizers.contains(optim->optimizer), std::string(option) + ".optimizer", registry.optimizers.kind(), optim->optimizer);
    const bool known = registry.schedules.contains(optim->lr_scheduler_type);
    need(known, std::string(option) + ".lr_scheduler_type", registry.schedules.kind(), optim->lr_scheduler_type);
    const auto* settings = optim;
    if (known) faults.run([&] { registry.schedules.make(settings->lr_scheduler_type, settings->lr_scheduler_kwargs); });
  }
  for (const auto& sink : config.trainer.report_to) {
    need(registry.sinks.contains(sink), "trainer.report_to", registry.sinks.kind(), sink);
    faults.run([&] { sink_options(config.trainer, sink); });
  }
  faults.need(!config.trainer.report_to.empty() || config.trainer.report_to_options.empty(),
              "trainer.report_to_options: expected a sink in report_to; without, they have no effect");
  faults.raise_lines();
}

}  // namespace grpo
