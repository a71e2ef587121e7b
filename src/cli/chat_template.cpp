#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/lines.h"
#include "core/json.h"
#include "grpo/text/chat_template.h"
#include "text/tokenizer_files.h"

namespace grpo::cli {

void add_chat_template(CLI::App& app) {
  auto* sub = app.add_subcommand("chat-template", "Lines {\"messages\": …, …} from stdin to rendered prompts");
  auto model = std::make_shared<std::string>();
  sub->add_option("--model", *model, "A model folder with a tokenizer or a chat template, or a .gguf")->required()->type_name("PATH");
  sub->callback([model] {
    const auto parts = text::load_template_parts(*model);
    GRPO_CHECK(!parts.source.empty(), "chat-template", "the tokenizer in " + *model + " brings no chat template");
    const ChatTemplate chat(parts.source);
    const auto answer = [&](const std::vector<InputLine>& lines) -> std::vector<Row> {
      Row line = parse_json<Row>(lines.front().text);  // templates show tools and calls with their keys in the order of the text
      ChatTemplate::Options options;
      options.add_generation_prompt = line.value("add_generation_prompt", false);
      options.bos_token = parts.tokens.bos;
      options.eos_token = parts.tokens.eos;
      options.pad_token = parts.tokens.pad;
      options.unk_token = parts.tokens.unk;
      GRPO_CHECK(line.contains("messages"), "line", "expected a field 'messages'");
      const std::string messages = to_text(line["messages"]);
      const std::string tools = line.contains("tools") && !line["tools"].is_null() ? to_text(line["tools"]) : "";
      for (const char* name : {"messages", "tools", "add_generation_prompt"}) line.erase(name);
      options.variables_json = to_text(line);
      try {
        return {{{"text", chat.render_json(messages, tools, options)}}};
      } catch (const Error& error) {
        return {{{"error", error.what()}}};
      }
    };
    map_batches(answer, {});
  });
}

}  // namespace grpo::cli
