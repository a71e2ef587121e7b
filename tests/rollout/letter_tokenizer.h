#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/text/tokenizer.h"

namespace grpo::testing {

/// Every id is one letter or, from 26 on, two: strings of two letters mostly cross tokens.
class LetterTokenizer final : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view, bool) const override { return {}; }
  std::string decode(std::span<const int32_t> ids, bool) const override {
    std::string text;
    for (const int32_t id : ids) text += id_to_token(id);
    return text;
  }
  int64_t vocab_size() const override { return 37; }
  std::string id_to_token(int32_t id) const override {
    const std::string letter(1, static_cast<char>('a' + id % 26));
    return id < 26 ? letter : letter + letter;
  }
  std::optional<int32_t> token_to_id(std::string_view) const override { return std::nullopt; }
  bool is_special(int32_t) const override { return false; }
};

}  // namespace grpo::testing
