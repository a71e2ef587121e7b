#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "grpo/core/error.h"
#include "grpo/text/chat_template.h"
#include "support/parity.h"

namespace grpo {
namespace {

using OrderedJson = nlohmann::ordered_json;  // tool schemas are printed in their own order
namespace fs = std::filesystem;

OrderedJson read_ordered(const fs::path& path) { return OrderedJson::parse(testing::read_text(path)); }

std::string text_or_empty(const OrderedJson& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

ChatTemplate::Options options_of(const OrderedJson& item, const OrderedJson& tokens) {
  ChatTemplate::Options options;
  options.add_generation_prompt = item.at("add_generation_prompt").get<bool>();
  options.bos_token = text_or_empty(tokens, "bos_token");
  options.eos_token = text_or_empty(tokens, "eos_token");
  options.pad_token = text_or_empty(tokens, "pad_token");
  options.unk_token = text_or_empty(tokens, "unk_token");
  options.variables_json = item.at("kwargs").dump();
  return options;
}

void expect_case(const ChatTemplate& chat_template, const OrderedJson& item, const OrderedJson& tokens) {
  const std::string name = item.at("tokenizer").get<std::string>() + "/" + item.at("case").get<std::string>();
  const std::string messages = item.at("messages").dump();
  const std::string tools = item.contains("tools") && !item["tools"].is_null() ? item["tools"].dump() : "";
  const ChatTemplate::Options options = options_of(item, tokens);
  if (item.at("expected").is_null()) {
    EXPECT_THROW(chat_template.render_json(messages, tools, options), Error) << name;
  } else {
    EXPECT_EQ(chat_template.render_json(messages, tools, options), item["expected"].get<std::string>()) << name;
  }
}

// Oracle: transformers' apply_chat_template.
TEST(ParityChatTemplate, RendersAsTransformers) {
  const fs::path folder = testing::parity_dir() / "chat";
  GRPO_REQUIRE_DATA(folder / "cases.json");
  const OrderedJson templates = read_ordered(folder / "templates.json");
  const OrderedJson cases = read_ordered(folder / "cases.json");
  ASSERT_FALSE(cases.empty());
  for (const OrderedJson& item : cases) {
    const OrderedJson& entry = templates.at(item.at("tokenizer").get<std::string>());
    expect_case(ChatTemplate(entry.at("chat_template").get<std::string>()), item, entry);
  }
}

/// A special token stands in tokenizer_config.json as its text or as an object with `content`.
OrderedJson with_plain_tokens(OrderedJson config) {
  for (auto& [key, value] : config.items()) {
    if (key.ends_with("_token") && value.is_object()) value = OrderedJson(value.at("content"));
  }
  return config;
}

std::string template_of(const fs::path& folder, const OrderedJson& config) {
  const fs::path file = folder / "chat_template.jinja";
  return fs::exists(file) ? testing::read_text(file) : config.at("chat_template").get<std::string>();
}

// Oracle: Jinja2's renderings of the templates in the tokenizers' own folders.
TEST(ParityChatTemplate, RendersTokenizerFoldersAsJinja) {
  const fs::path folder = testing::data_dir() / "tokenizers";
  GRPO_REQUIRE_DATA(folder / "chat_template_golden.json");
  const OrderedJson cases = read_ordered(folder / "chat_template_golden.json");
  ASSERT_FALSE(cases.empty());
  for (const OrderedJson& item : cases) {
    const fs::path tokenizer = folder / item.at("tokenizer").get<std::string>();
    GRPO_REQUIRE_DATA(tokenizer / "tokenizer_config.json");
    const OrderedJson config = with_plain_tokens(read_ordered(tokenizer / "tokenizer_config.json"));
    expect_case(ChatTemplate(template_of(tokenizer, config)), item, config);
  }
}

}  // namespace
}  // namespace grpo
