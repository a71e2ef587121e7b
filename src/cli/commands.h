#pragma once

#include <CLI/CLI.hpp>

#include "grpo/trainer/config.h"
#include "grpo/trainer/registry.h"

namespace grpo {
struct EngineOptions;
struct Policy;
}  // namespace grpo

// One file a subcommand: each adds itself to the program.
namespace grpo::cli {

void add_train(CLI::App& app, const Registry& registry);  // train, sft, dpo and reward-model
void add_eval(CLI::App& app, const Registry& registry);
void add_generate(CLI::App& app, const Registry& registry);
void add_tokenize(CLI::App& app);
void add_chat_template(CLI::App& app);
void add_score(CLI::App& app, const Registry& registry);
void add_logprobs(CLI::App& app, const Registry& registry);
void add_convert(CLI::App& app, const Registry& registry);
void add_report(CLI::App& app);
void add_checkpoint(CLI::App& app);  // list and verify
void add_info(CLI::App& app, const Registry& registry);
void add_completion(CLI::App& app);
void add_doctor(CLI::App& app);
void add_init(CLI::App& app);
/// The registry's commands; `status` becomes the exit status of the one that ran.
void add_own_commands(CLI::App& app, const Registry& registry, int& status);

/// --model, --device and --compute-dtype of the commands that read a model.
void add_model_options(CLI::App& command, ModelSection& model);

/// A model that is only sampled from, in a type that may be narrower than what training computes in.
struct SampledModel {
  enum class Type { kAuto, kFloat32, kBFloat16, kInt8 };
  ModelSection section;
  Type dtype = Type::kAuto;
};
/// --model, --device and --dtype of the commands that sample.
void add_sampled_model_options(CLI::App& command, SampledModel& model);
Policy load_sampled_policy(const SampledModel& model, const Registry& registry);
EngineOptions engine_options(const SampledModel& model);

/// --chat-template-kwargs, a JSON object.
void add_chat_template_kwargs(CLI::App& command, NamedOptions& variables);

}  // namespace grpo::cli
