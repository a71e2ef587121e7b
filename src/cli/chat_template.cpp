#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/lines.h"
#include "core/json.h"
#include "grpo/text/chat_template.h"
#include "grpo/text/tokenizer.h"

namespace grpo::cli {
namespace {

std::string text_of(const Tokenizer& tokenizer, const std::optional<int32_t>& id) {
  return id ? tokenizer.id_to_token(*id) : std::string();
}

}  // namespace

void add_chat_template(CLI::App& app) {
  auto* sub = app.add_subcommand("chat-template", "Lines {\"messages\": …, …} from stdin to rendered prompts");
  auto model = std::make_shared<std::string>();
  sub->add_option("--model", *model, "A model folder with a tokenizer, or a .gguf")->required()->type_name("PATH");
  sub->callback([model] {
    const auto tokenizer = load_tokenizer(*model);
    GRPO_CHECK(!tokenizer->chat_template().empty(), "chat-template", "the tokenizer in " + *model + " brings no chat template");
    const ChatTemplate chat(tokenizer->chat_template());
    map_lines([&](const nlohmann::json& line) -> nlohmann::ordered_json {
      ChatTemplate::Options options;
      options.add_generation_prompt = line.value("add_generation_prompt", false);
      options.bos_token = text_of(*tokenizer, tokenizer->bos_id());
      options.eos_token = text_of(*tokenizer, tokenizer->eos_id());
      options.pad_token = text_of(*tokenizer, tokenizer->pad_id());
      nlohmann::json rest = line;
      for (const char* name : {"messages", "tools", "add_generation_prompt"}) rest.erase(name);
      options.variables_json = to_text(rest);
      const bool tools = line.contains("tools") && !line["tools"].is_null();
      try {
        return {{"text", chat.render_json(to_text(field<nlohmann::json>(line, "messages")), tools ? to_text(line["tools"]) : "", options)}};
      } catch (const Error& error) {
        return {{"error", error.what()}};
      }
    });
  });
}

}  // namespace grpo::cli
