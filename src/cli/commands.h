#pragma once

#include <CLI/CLI.hpp>

#include "grpo/trainer/config.h"
#include "grpo/trainer/registry.h"

// One file a subcommand: each adds itself to the program.
namespace grpo::cli {

void add_train(CLI::App& app, const Registry& registry);  // train, sft, dpo and reward-model
void add_eval(CLI::App& app, const Registry& registry);
void add_generate(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_chat_template(CLI::App& app);
void add_score(CLI::App& app, const Registry& registry);
void add_logprobs(CLI::App& app);
void add_convert(CLI::App& app);
void add_report(CLI::App& app);
void add_checkpoint(CLI::App& app);  // list and verify
void add_info(CLI::App& app);

/// --model, --device and --compute-dtype of the commands that read a model.
void add_model_options(CLI::App& command, ModelSection& model);
/// --chat-template-kwargs, a JSON object.
void add_chat_template_kwargs(CLI::App& command, NamedOptions& variables);

}  // namespace grpo::cli
