#include "text/gguf_vocabulary.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "io/gguf_end_tokens.h"

namespace grpo::text {
namespace {

constexpr std::string_view kGgufVocabularyWhere = "gguf tokenizer";

std::string key(const std::string& name) { return "tokenizer.ggml." + name; }

template <typename T, typename From>
void append(std::vector<T>& out, const std::vector<From>& values) {
  for (const From value : values) out.push_back(static_cast<T>(value));
}

std::vector<int64_t> read_types(const Gguf& gguf, size_t count) {
  std::vector<int64_t> types;
  if (!gguf.has(key("token_type"))) {
    types.assign(count, static_cast<int64_t>(GgufTokenType::kNormal));
  } else if (const GgufValue& value = gguf.metadata().at(key("token_type")); std::holds_alternative<std::vector<int64_t>>(value)) {
    append(types, std::get<std::vector<int64_t>>(value));
  } else if (std::holds_alternative<std::vector<uint64_t>>(value)) {
    append(types, std::get<std::vector<uint64_t>>(value));
  }
  GRPO_CHECK(types.size() == count, kGgufVocabularyWhere,
             "expected " + std::to_string(count) + " integers in token_type; got " + std::to_string(types.size()));
  return types;
}

std::vector<double> read_scores(const Gguf& gguf, size_t count) {
  if (!gguf.has(key("scores"))) return {};
  const auto* scores = std::get_if<std::vector<double>>(&gguf.metadata().at(key("scores")));
  GRPO_CHECK(scores != nullptr && scores->size() == count, kGgufVocabularyWhere,
             "expected " + std::to_string(count) + " floats in scores; got another array");
  GRPO_CHECK(std::none_of(scores->begin(), scores->end(), [](double s) { return std::isnan(s); }), kGgufVocabularyWhere,
             "expected scores; got NaN");
  return *scores;
}

std::optional<size_t> read_id(const Gguf& gguf, const std::string& name, size_t count) {
  if (!gguf.has(key(name))) return std::nullopt;
  const int64_t id = gguf.get_int(key(name));
  if (id == -1 || id == 0xFFFFFFFF) return std::nullopt;  // written for "none"
  GRPO_CHECK(id >= 0 && static_cast<size_t>(id) < count, kGgufVocabularyWhere,
             "expected " + name + " below " + std::to_string(count) + "; got " + std::to_string(id));
  return static_cast<size_t>(id);
}

std::optional<bool> read_flag(const Gguf& gguf, const std::string& name) {
  return gguf.has(key(name)) ? std::optional(gguf.get_bool(key(name), false)) : std::nullopt;
}

void drop_padding(GgufVocabulary& vocabulary) {
  while (!vocabulary.types.empty() && vocabulary.types.back() == GgufTokenType::kUnused) vocabulary.types.pop_back();
  vocabulary.tokens.resize(vocabulary.types.size());
  if (!vocabulary.scores.empty()) vocabulary.scores.resize(vocabulary.types.size());
}

/// Files are published whose end tokens are typed as words; chat prompts would then spell them letter by letter.
void correct_types(GgufVocabulary& vocabulary) {
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    GgufTokenType& type = vocabulary.types[id];
    if (type == GgufTokenType::kControl || !is_end_token(vocabulary.tokens[id])) continue;
    log_warn("the GGUF file: the token " + vocabulary.tokens[id] + " (" + std::to_string(id) +
             ") ends a text and is not typed as a control token: it is taken for one");
    type = GgufTokenType::kControl;
  }
}

void check_texts(const std::vector<std::string>& tokens) {
  std::unordered_map<std::string_view, size_t> seen;
  for (size_t id = 0; id < tokens.size(); ++id) {
    GRPO_CHECK(is_valid_utf8(tokens[id]), kGgufVocabularyWhere,
               "expected tokens in UTF-8; got ill-formed bytes in token " + std::to_string(id));
    const auto [first, fresh] = seen.try_emplace(tokens[id], id);
    GRPO_CHECK(fresh, kGgufVocabularyWhere,
               "expected distinct tokens; got \"" + tokens[id] + "\" as " + std::to_string(first->second) + " and " + std::to_string(id));
  }
}

}  // namespace

bool GgufVocabulary::is_added(size_t id) const {
  return types[id] == GgufTokenType::kControl || types[id] == GgufTokenType::kUserDefined || types[id] == GgufTokenType::kUnknown;
}

GgufVocabulary read_gguf_vocabulary(const Gguf& gguf) {
  GgufVocabulary out;
  out.model = gguf.get_string(key("model"));
  out.pre = gguf.get_string(key("pre"), "default");
  out.tokens = gguf.get_strings(key("tokens"));
  for (const int64_t type : read_types(gguf, out.tokens.size())) out.types.push_back(static_cast<GgufTokenType>(type));
  out.scores = read_scores(gguf, out.tokens.size());
  if (gguf.has(key("merges"))) out.merges = gguf.get_strings(key("merges"));
  drop_padding(out);
  correct_types(out);
  check_texts(out.tokens);
  out.bos = read_id(gguf, "bos_token_id", out.tokens.size());
  out.eos = read_id(gguf, "eos_token_id", out.tokens.size());
  out.pad = read_id(gguf, "padding_token_id", out.tokens.size());
  out.unknown = read_id(gguf, "unknown_token_id", out.tokens.size());
  out.add_bos = read_flag(gguf, "add_bos_token");
  out.add_eos = read_flag(gguf, "add_eos_token");
  out.add_space_prefix = read_flag(gguf, "add_space_prefix");
  out.chat_template = gguf.get_string("tokenizer.chat_template", "");
  return out;
}

std::vector<std::pair<std::string, std::string>> merges_from_scores(const GgufVocabulary& vocabulary) {
  struct Merge {
    double score;
    size_t id, left, right;
  };
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) ids.emplace(vocabulary.tokens[id], id);
  std::vector<Merge> merges;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string_view token = vocabulary.tokens[id];
    if (vocabulary.types[id] != GgufTokenType::kNormal && vocabulary.types[id] != GgufTokenType::kUserDefined) continue;
    for (size_t cut = 0; cut < token.size();) {
      cut += next_character(token, cut).length;
      const auto left = ids.find(token.substr(0, cut)), right = ids.find(token.substr(std::min(cut, token.size())));
      if (cut < token.size() && left != ids.end() && right != ids.end()) {
        merges.push_back({vocabulary.scores[id], id, left->second, right->second});
      }
    }
  }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tie(b.score, a.id, a.left, a.right) < std::tie(a.score, b.id, b.left, b.right);
  });
  std::vector<std::pair<std::string, std::string>> out;
  for (const Merge& merge : merges) out.emplace_back(vocabulary.tokens[merge.left], vocabulary.tokens[merge.right]);
  return out;
}

}  // namespace grpo::text
