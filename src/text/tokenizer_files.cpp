#include "text/tokenizer_files.h"

#include "grpo/core/error.h"
#include "text/bpe_tokenizer.h"
#include "text/config_tokens.h"
#include "text/json_fields.h"
#include "text/sentencepiece_tokenizer.h"

namespace grpo::text {
namespace {

/// The file as JSON; null where it is absent.
Json read_optional(const TokenizerFiles& files, const std::string& name) {
  const auto found = files.find(name);
  return found == files.end() ? Json() : parse_json(found->second, name);
}

/// A special token is written as a string or as an object with "content".
std::string token_text(const Json& config, const std::string& key) {
  const Json& value = optional_member(config, key);
  const Json& content = value.is_object() ? optional_member(value, "content") : value;
  return content.is_string() ? content.get<std::string>() : std::string();
}

}  // namespace

SpecialTokens read_special_tokens(const TokenizerFiles& files) {
  const Json config = read_optional(files, "tokenizer_config.json"), map = read_optional(files, "special_tokens_map.json");
  const auto find = [&](const std::string& key) {
    const std::string text = token_text(config, key);
    return text.empty() ? token_text(map, key) : text;
  };
  return {find("bos_token"), find("eos_token"), find("pad_token"), find("unk_token")};
}

std::string read_chat_template(const TokenizerFiles& files) {
  if (const auto found = files.find("chat_template.jinja"); found != files.end()) return found->second;
  constexpr std::string_view kWhere = "tokenizer_config.json chat_template";
  const Json config = read_optional(files, "tokenizer_config.json");
  const Json& value = optional_member(config, "chat_template");
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  GRPO_CHECK(value.is_array() && !value.empty(), kWhere,
             std::string("expected a string or a list of named templates; got ") + value.type_name());
  for (const Json& named : value) {
    if (string_member(named, "name", kWhere) == "default") return string_member(named, "template", kWhere);
  }
  return string_member(value.front(), "template", kWhere);
}

std::shared_ptr<const Tokenizer> tokenizer_from_files(TokenizerFiles files) {
  if (const auto json = files.find("tokenizer.json"); json != files.end()) {
    Json document = parse_json(json->second, "tokenizer.json");
    add_config_tokens(document, read_optional(files, "tokenizer_config.json"));
    return std::make_shared<BpeTokenizer>(document, std::move(files));
  }
  if (files.contains("tokenizer.model")) return make_sentencepiece_tokenizer(std::move(files));
  fail("load_tokenizer", "expected tokenizer.json or tokenizer.model; got neither");
}

}  // namespace grpo::text
