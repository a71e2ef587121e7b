#include <filesystem>
#include <memory>

#include "cli/choice.h"
#include "cli/commands.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/model/transformer.h"
#include "grpo/text/tokenizer.h"

namespace grpo::cli {

namespace {

bool has_tokenizer(const std::filesystem::path& path) {
  return !std::filesystem::is_directory(path) || std::filesystem::exists(path / "tokenizer.json") ||
         std::filesystem::exists(path / "tokenizer.model");
}

}  // namespace

void add_convert(CLI::App& app, const Registry& registry) {
  struct Arguments {
    std::string in, out, adapter, dtype = "float32";
  };
  auto* sub = app.add_subcommand("convert", "A .gguf file or Hugging Face folder to a Hugging Face folder, tokenizer included");
  auto arguments = std::make_shared<Arguments>();
  sub->add_option("in", arguments->in, "A .gguf file or a model folder")->required()->type_name("PATH");
  sub->add_option("out", arguments->out, "The folder to write")->required()->type_name("PATH");
  add_choice<std::string>(*sub, "--dtype", arguments->dtype, {{"float32", "float32"}, {"bfloat16", "bfloat16"}, {"float16", "float16"}},
                          "What weights are written in");
  sub->add_option("--merge-lora", arguments->adapter, "A PEFT folder whose LoRA is added to the weights")->type_name("PATH");
  sub->callback([arguments, &registry] {
    const auto model = load_model(arguments->in, {.families = &registry.families});
    if (!arguments->adapter.empty()) {
      load_adapter(*model, arguments->adapter);
      merge_adapter(*model);
    }
    save_model(*model, arguments->out, {.dtype = arguments->dtype});
    if (has_tokenizer(arguments->in)) {
      save_tokenizer(*load_tokenizer(arguments->in), arguments->out);
    } else {
      log_warn("no tokenizer in " + arguments->in + ": only the weights were written");
    }
    log_info("wrote " + arguments->out + ": " + std::to_string(model->config().num_parameters()) + " parameters as " + arguments->dtype);
  });
}

}  // namespace grpo::cli
