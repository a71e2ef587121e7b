#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "core/file_text.h"
#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/dist/communicator.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/policy_trainer.h"

namespace grpo::cli {
namespace {

constexpr const char* kNewest = "newest";

struct TrainArguments {
  std::vector<std::string> configs;
  std::string resume;  // empty: not wanted; else kNewest or a checkpoint's name
  bool dry_run = false, print_config = false;
  std::vector<std::string> allow_changed;
};

Config read_configs(const TrainArguments& arguments, const std::vector<std::string>& overrides, const Registry& registry) {
  ConfigSource source = config_source(registry);
  std::vector<std::string> settings = overrides;
  for (const auto& argument : arguments.configs) {
    if (argument.find('=') != std::string::npos) {
      settings.push_back(argument);
    } else {
      expect_exists(argument, "config");
      if (std::filesystem::is_directory(argument)) fail_usage("config", "expected a file of JSON; got the folder " + argument);
      source.add_file(argument);
    }
  }
  for (const auto& setting : settings) source.add_override(setting);
  Config config;
  read_config(source, config);
  return config;
}

std::unique_ptr<Trainer> make_trainer(Command command, const Config& config, TrainerParts parts, const Registry& registry) {
  switch (command) {
    case Command::kTrain:
      return std::make_unique<PolicyTrainer>(config, std::move(parts), registry);
    case Command::kSft:
      return std::make_unique<SftTrainer>(config, std::move(parts), registry);
    case Command::kDpo:
    case Command::kRewardModel:
      return std::make_unique<PreferenceTrainer>(config, std::move(parts), registry, command);
  }
  fail("train", "expected a known command");
}

/// The flags of this program by which that is done what an error of the library speaks of.
std::string_view flags_for(std::string_view message) {
  if (message.starts_with("[resume]"))
    return "\n--resume=checkpoint-N names a checkpoint, --allow-changed KEY a setting that may have changed";
  if (message.starts_with("[output_dir]") && message.find("holds another run") != std::string_view::npos) return "\n--resume resumes it";
  return {};
}

template <class Action>
void with_flags_named(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    throw Error(message + std::string(flags_for(message)), error.kind());
  }
}

void run(Command command, const Config& config, const TrainArguments& arguments, const Registry& registry) {
  if (arguments.dry_run) {
    for (const auto& line : make_trainer(command, config, {}, registry)->plan()) std::cout << line << "\n";
    return;
  }
  const InterruptGuard loading(OnSignal::kEnd, "nothing was begun");
  TrainerParts parts;
  parts.communicator = connect(read_launch_environment(),
                               {.device = device_of(config.model).type(), .timeout = std::chrono::seconds(config.trainer.ddp_timeout)});
  if (!parts.communicator->is_main()) set_log_level(LogLevel::kOff);  // the others would say the same
  const auto trainer = make_trainer(command, config, std::move(parts), registry);
  with_flags_named([&] {
    if (!arguments.resume.empty())
      trainer->resume({.checkpoint = arguments.resume == kNewest ? "" : arguments.resume, .allow_changed = arguments.allow_changed});
    if (!trainer->train()) fail_interrupted("train", "a signal stopped the run; continue with --resume");
  });
}

void add(CLI::App& app, const Registry& registry, Command command, const std::string& name, const std::string& about) {
  auto* sub = app.add_subcommand(name, about);
  auto arguments = std::make_shared<TrainArguments>();
  sub->add_option("config", arguments->configs, "JSON files, merged in order, and overrides such as optim.learning_rate=1e-6")->required();
  sub->add_flag(std::string("--resume{") + kNewest + "}", arguments->resume,
                "Continue from the newest checkpoint of the run folder, from the start where there is none yet; --resume=checkpoint-400 "
                "continues from that one, and later ones are then called checkpoint-N.left");
  sub->add_option("--allow-changed", arguments->allow_changed,
                  "With --resume: a setting that may differ though it makes the run what it is")
      ->expected(1)
      ->take_all();
  sub->add_flag("--dry-run", arguments->dry_run, "Check everything and print the plan: steps, tokens, memory, disk");
  sub->add_flag("--print-config", arguments->print_config, "Print the resolved config and stop");
  sub->allow_extras();  // --section.key=value
  sub->callback([sub, arguments, &registry, command] {
    if (arguments->resume.empty() && !arguments->allow_changed.empty())
      fail_usage(sub->get_name(), "expected --resume beside --allow-changed; got a run that begins anew");
    const Config config = read_configs(*arguments, sub->remaining(), registry);
    validate(config, command);
    if (arguments->print_config) {
      std::cout << write_config(config) << "\n";
    } else {
      run(command, config, *arguments, registry);
    }
  });
}

}  // namespace

void add_train(CLI::App& app, const Registry& registry) {
  add(app, registry, Command::kTrain, "train", "Reinforcement learning with verifiable rewards");
  add(app, registry, Command::kSft, "sft", "Supervised fine-tuning on completions");
  add(app, registry, Command::kDpo, "dpo", "Direct preference optimisation on given pairs: columns chosen and rejected");
  add(app, registry, Command::kRewardModel, "reward-model", "A Bradley-Terry reward model from given pairs");
}

}  // namespace grpo::cli
