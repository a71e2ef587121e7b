#include "text/config_tokens.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"

namespace grpo::text {
namespace {

constexpr std::string_view kConfigFile = "tokenizer_config.json";
constexpr const char* kFlags[] = {"single_word", "lstrip", "rstrip", "normalized", "special"};

int64_t id_of_key(const std::string& key) {
  int64_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  GRPO_CHECK(error == std::errc() && end == key.data() + key.size() && id >= 0, kConfigFile,
             "expected ids as the keys of added_tokens_decoder; got '" + key + "'");
  return id;
}

/// A special token is written as a text or as an object with flags.
Json special_entry(const Json& value) {
  Json entry = value.is_object() ? value : Json{{"content", value}};
  entry["special"] = true;
  if (optional_member(entry, "normalized").is_null()) entry["normalized"] = false;
  return entry;
}

bool has_text(const Json& value) {
  const Json& content = value.is_object() ? optional_member(value, "content") : value;
  return content.is_string() && !content.get_ref<const std::string&>().empty();
}

/// The named special tokens and the others, in the order in which transformers adds them.
std::vector<Json> special_entries(const Json& config) {
  std::vector<Json> entries;
  for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    if (const Json& value = optional_member(config, name); has_text(value)) entries.push_back(special_entry(value));
  }
  const Json& further =
      optional_member(config, config.contains("extra_special_tokens") ? "extra_special_tokens" : "additional_special_tokens");
  if (!further.is_structured()) return entries;
  for (const Json& value : further) {  // of an object, which names them, the values
    if (has_text(value)) entries.push_back(special_entry(value));
  }
  return entries;
}

int64_t next_id(const Json& document) {
  auto next = static_cast<int64_t>(optional_member(member(document, "model", "tokenizer.json"), "vocab").size());
  for (const Json& entry : document.at("added_tokens")) next = std::max<int64_t>(next, int_member(entry, "id", "tokenizer.json") + 1);
  return next;
}

/// added_tokens_decoder as entries of "added_tokens", by rising id, and then the special tokens that are named; these have no id.
std::vector<Json> config_tokens(const Json& config) {
  std::map<int64_t, Json> by_id;
  if (const Json& tokens = optional_member(config, "added_tokens_decoder"); tokens.is_object()) {
    for (const auto& [key, token] : tokens.items()) {
      const int64_t id = id_of_key(key);
      GRPO_CHECK(has_text(token) && token.is_object(), kConfigFile,
                 "expected a token with a content in added_tokens_decoder; got none for " + key);
      Json& entry = by_id[id] = token;
      entry["id"] = id;
      if (optional_member(entry, "normalized").is_null()) entry["normalized"] = !bool_member(entry, "special", kConfigFile, false);
    }
  }
  std::vector<Json> entries, special = special_entries(config);
  const auto is_named = [&special](const Json& entry) {
    return std::ranges::any_of(special, [&](const Json& other) { return other.at("content") == entry.at("content"); });
  };
  for (auto& [id, entry] : by_id) {
    if (is_named(entry)) entry["special"] = true;
    entries.push_back(std::move(entry));
  }
  entries.insert(entries.end(), special.begin(), special.end());
  return entries;
}

}  // namespace

void add_config_tokens(Json& document, const Json& config) {
  const std::vector<Json> tokens = config_tokens(config);
  if (tokens.empty()) return;
  if (optional_member(document, "added_tokens").is_null()) document["added_tokens"] = Json::array();
  Json& added = document["added_tokens"];
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < added.size(); ++i) places.emplace(string_member(added[i], "content", "tokenizer.json"), i);
  int64_t next = next_id(document);
  const Json& vocabulary = optional_member(document.at("model"), "vocab");
  for (const Json& token : tokens) {
    const auto content = token.at("content").get<std::string>();
    const bool from_decoder = token.contains("id");
    if (const auto known = places.find(content); known != places.end()) {
      if (!from_decoder) continue;
      for (const char* flag : kFlags) added[known->second][flag] = bool_member(token, flag, kConfigFile, false);
      continue;
    }
    Json entry = token;
    entry["id"] = vocabulary.contains(content) ? vocabulary.at(content) : Json(next++);
    if (from_decoder && entry["id"] != token["id"]) {
      log_warn(std::string(kConfigFile) + ": the token " + content + " has the id " + to_text(token["id"]) +
               " in added_tokens_decoder, and " + to_text(entry["id"]) + " by its place behind the vocabulary, which is used");
    }
    places.emplace(content, added.size());
    added.push_back(std::move(entry));
  }
}

}  // namespace grpo::text
