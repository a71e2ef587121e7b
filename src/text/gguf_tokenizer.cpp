#include "text/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "grpo/core/error.h"
#include "text/bpe_tokenizer.h"
#include "text/gguf_pre_rules.h"
#include "text/gguf_vocabulary.h"
#include "text/pieces.h"

namespace grpo::text {
namespace {

constexpr std::string_view kGgufTokenizerWhere = "gguf tokenizer";

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json pre_tokenizer(const PreRule& rule) {
  Json parts = Json::array();
  for (const std::string_view pattern : rule.patterns) {
    parts.push_back({{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  parts.push_back(byte_level(false));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(parts)}};
}

Json token_entry(const GgufVocabulary& vocabulary, size_t id) {
  return {{"id", id},
          {"content", vocabulary.tokens[id]},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", vocabulary.types[id] != GgufTokenType::kUserDefined}};
}

/// What all files share; `merges` is an array of pairs.
Json document(const GgufVocabulary& vocabulary, Json merges) {
  Json added = Json::array(), tokens = Json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    tokens[vocabulary.tokens[id]] = id;
    if (vocabulary.is_added(id)) added.push_back(token_entry(vocabulary, id));
  }
  Json model{{"type", "BPE"},
             {"dropout", nullptr},
             {"unk_token", nullptr},
             {"continuing_subword_prefix", nullptr},
             {"fuse_unk", false},
             {"byte_fallback", false},
             {"end_of_word_suffix", nullptr},
             {"ignore_merges", false},
             {"vocab", std::move(tokens)},
             {"merges", std::move(merges)}};
  return {{"version", "1.0"},         {"truncation", nullptr},    {"padding", nullptr},        {"added_tokens", std::move(added)},
          {"normalizer", nullptr},    {"pre_tokenizer", nullptr}, {"post_processor", nullptr}, {"decoder", nullptr},
          {"model", std::move(model)}};
}

Json listed_merges(const GgufVocabulary& vocabulary) {
  Json merges = Json::array();
  for (const std::string& merge : vocabulary.merges) {
    const size_t space = merge.find(' ', 1);  // a left part is never empty
    GRPO_CHECK(space != std::string::npos, kGgufTokenizerWhere, "expected a merge \"left right\"; got \"" + merge + "\"");
    merges.push_back({merge.substr(0, space), merge.substr(space + 1)});
  }
  return merges;
}

Json byte_level_document(const GgufVocabulary& vocabulary, const PreRule& rule) {
  GRPO_CHECK(!vocabulary.merges.empty(), kGgufTokenizerWhere, "expected tokenizer.ggml.merges; got none");
  Json json = document(vocabulary, listed_merges(vocabulary));
  if (rule.nfc) json["normalizer"] = {{"type", "NFC"}};
  json["pre_tokenizer"] = pre_tokenizer(rule);
  json["decoder"] = byte_level(true);
  json["model"]["ignore_merges"] = rule.ignore_merges;
  return json;
}

Json sentencepiece_merges(const GgufVocabulary& vocabulary) {
  if (!vocabulary.merges.empty()) return listed_merges(vocabulary);
  GRPO_CHECK(!vocabulary.scores.empty(), kGgufTokenizerWhere, "expected tokenizer.ggml.scores or merges; got neither");
  Json merges = Json::array();
  for (auto& [left, right] : merges_from_scores(vocabulary)) merges.push_back({std::move(left), std::move(right)});
  return merges;
}

Json sentencepiece_document(const GgufVocabulary& vocabulary) {
  const bool prefix = vocabulary.add_space_prefix.value_or(true);
  Json normalizers = Json::array(), decoders = Json::array();
  if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", kPieceSpace}});
  normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kPieceSpace}});
  decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", kPieceSpace}}}, {"content", " "}});
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  Json json = document(vocabulary, sentencepiece_merges(vocabulary));
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(normalizers)}};
  json["decoder"] = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
  json["model"]["byte_fallback"] = true;
  json["model"]["fuse_unk"] = true;
  if (vocabulary.unknown) json["model"]["unk_token"] = vocabulary.tokens[*vocabulary.unknown];
  return json;
}

/// Adds BOS and EOS around a text where the file says so.
Json post_processor(const GgufVocabulary& vocabulary, bool default_bos) {
  Json single = Json::array(), pair = Json::array(), special = Json::object();
  const auto add_text = [](Json& parts, const char* name, int type) { parts.push_back({{"Sequence", {{"id", name}, {"type_id", type}}}}); };
  const auto add_token = [&](bool wanted, std::optional<size_t> id) {
    if (!wanted || !id) return;
    const std::string& token = vocabulary.tokens[*id];
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    pair.push_back(single.back());
    special[token] = {{"id", token}, {"ids", {*id}}, {"tokens", {token}}};
  };
  add_token(vocabulary.add_bos.value_or(default_bos), vocabulary.bos);
  add_text(single, "A", 0);
  add_text(pair, "A", 0);
  add_text(pair, "B", 1);
  add_token(vocabulary.add_eos.value_or(false), vocabulary.eos);
  if (special.empty()) return nullptr;
  return {{"type", "TemplateProcessing"}, {"single", std::move(single)}, {"pair", std::move(pair)}, {"special_tokens", std::move(special)}};
}

Json config(const GgufVocabulary& vocabulary) {
  Json json{{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  const auto set = [&](const char* key, std::optional<size_t> id) { json[key] = id ? Json(vocabulary.tokens[*id]) : Json(); };
  set("bos_token", vocabulary.bos);
  set("eos_token", vocabulary.eos);
  set("pad_token", vocabulary.pad);
  set("unk_token", vocabulary.unknown);
  Json added = Json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!vocabulary.is_added(id)) continue;
    Json token = token_entry(vocabulary, id);
    token.erase("id");
    added[std::to_string(id)] = std::move(token);
  }
  json["added_tokens_decoder"] = std::move(added);
  if (!vocabulary.chat_template.empty()) json["chat_template"] = vocabulary.chat_template;
  return json;
}

}  // namespace

std::shared_ptr<const Tokenizer> make_gguf_tokenizer(const Gguf& gguf) {
  const GgufVocabulary vocabulary = read_gguf_vocabulary(gguf);
  Json json;
  if (vocabulary.model == "gpt2") {
    const PreRule& rule = find_pre_rule(vocabulary.pre);
    json = byte_level_document(vocabulary, rule);
    json["post_processor"] = post_processor(vocabulary, rule.add_bos);
  } else if (vocabulary.model == "llama") {
    json = sentencepiece_document(vocabulary);
    json["post_processor"] = post_processor(vocabulary, true);
  } else {
    fail(kGgufTokenizerWhere, "expected tokenizer.ggml.model to be gpt2 or llama; got " + vocabulary.model);
  }
  TokenizerFiles files{{"tokenizer.json", to_text(json)}, {"tokenizer_config.json", to_text(config(vocabulary), 2)}};
  if (!vocabulary.chat_template.empty()) files["chat_template.jinja"] = vocabulary.chat_template;
  return std::make_shared<BpeTokenizer>(json, std::move(files));
}

}  // namespace grpo::text
