#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace grpo::text {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD
inline constexpr std::string_view kPieceSpace = "\xE2\x96\x81";            // U+2581, how pieces of sentencepiece spell a space

enum class Utf8Status {
  kValid,       // a whole character
  kInvalid,     // a maximal subpart of an ill-formed sequence (The Unicode Standard, section 3.9, U+FFFD substitution)
  kIncomplete,  // the text ends inside a character that is well-formed so far
};

struct Utf8Step {
  char32_t code = 0;  // kValid only
  size_t length = 0;  // bytes consumed, at least 1
  Utf8Status status = Utf8Status::kValid;
};

/// Reads the character that starts at byte `at`, which must be inside `text`.
Utf8Step next_character(std::string_view text, size_t at);

void append_utf8(std::string& out, char32_t code);

bool is_valid_utf8(std::string_view text);

/// The Unicode property White_Space.
bool is_white_space(char32_t code);

/// What `\w` means in tokenizer.json's single_word: letters, marks, decimal digits, connectors, joiners.
bool is_word_character(char32_t code);

/// Moves every certain character of `bytes` to the result, one U+FFFD for each maximal ill-formed subpart; what may still become a
/// character stays in `bytes`, unless `last` says that nothing follows.
std::string take_lossy_utf8(std::string& bytes, bool last);

/// `text` with every occurrence of `from` (not empty) replaced by `to`.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

}  // namespace grpo::text
