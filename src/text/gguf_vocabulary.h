#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grpo/io/gguf.h"

namespace grpo::text {

/// Values of `tokenizer.ggml.token_type`.
enum class GgufTokenType : int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// The `tokenizer.ggml.*` metadata, checked: `types` and (where present) `scores` have one value a token, special ids are in range, texts
/// are distinct. Unused tokens at the end, which pad the model's embedding, are dropped; tokens that are known to end texts are control
/// tokens, whatever the file says.
struct GgufVocabulary {
  std::string model, pre;
  std::vector<std::string> tokens, merges;
  std::vector<GgufTokenType> types;
  std::vector<double> scores;
  std::optional<size_t> bos, eos, pad, unknown;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  std::string chat_template;

  /// Found as a whole in the text instead of being merged from it.
  bool is_added(size_t id) const;
};

GgufVocabulary read_gguf_vocabulary(const Gguf& gguf);

/// The merges, as [left, right], that make BPE follow sentencepiece scores: every split of a token into two tokens, by falling score.
std::vector<std::pair<std::string, std::string>> merges_from_scores(const GgufVocabulary& vocabulary);

}  // namespace grpo::text
