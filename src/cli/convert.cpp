#include <memory>

#include "cli/commands.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/model/transformer.h"
#include "grpo/text/tokenizer.h"

namespace grpo::cli {

void add_convert(CLI::App& app) {
  struct Arguments {
    std::string in, out, dtype = "float32";
  };
  auto* sub = app.add_subcommand("convert", "A .gguf file or Hugging Face folder to a Hugging Face folder, tokenizer included");
  auto arguments = std::make_shared<Arguments>();
  sub->add_option("in", arguments->in, "A .gguf file or a model folder")->required();
  sub->add_option("out", arguments->out, "The folder to write")->required();
  sub->add_option("--dtype", arguments->dtype, "float32, bfloat16 or float16")->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  sub->callback([arguments] {
    const auto tokenizer = load_tokenizer(arguments->in);
    const auto model = load_model(arguments->in);
    save_model(*model, arguments->out, {.dtype = arguments->dtype});
    save_tokenizer(*tokenizer, arguments->out);
    log_info("wrote " + arguments->out + ": " + std::to_string(model->config().num_parameters()) + " parameters as " + arguments->dtype);
  });
}

}  // namespace grpo::cli
