#include <memory>

#include "cli/commands.h"
#include "cli/lines.h"
#include "grpo/text/tokenizer.h"

namespace grpo::cli {

void add_tokenize(CLI::App& app) {
  struct Arguments {
    std::string model;
    bool no_special = false;
  };
  auto* sub = app.add_subcommand("tokenize", "Lines {\"text\": …} or {\"ids\": …} from stdin to ids and decoded text");
  auto arguments = std::make_shared<Arguments>();
  sub->add_option("--model", arguments->model, "A folder, a tokenizer.json, a .gguf or a sentencepiece .model")
      ->required()
      ->type_name("PATH");
  sub->add_flag("--no-special-tokens", arguments->no_special, "Add no BOS and the like");
  sub->callback([arguments] {
    const auto tokenizer = load_tokenizer(arguments->model);
    map_lines([&](const nlohmann::json& line) -> nlohmann::ordered_json {
      if (line.contains("ids")) return {{"decoded", tokenizer->decode(ids_field(line, "ids"))}};
      const auto ids = tokenizer->encode(field<std::string>(line, "text"), !arguments->no_special);
      return {{"ids", ids}, {"decoded", tokenizer->decode(ids)}};
    });
  });
}

}  // namespace grpo::cli
