#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace grpo {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

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

/// `code`: below 0x110000 and no surrogate.
void append_utf8(std::string& out, char32_t code);

/// The first byte that belongs to no well-formed character, or npos.
size_t find_bad_utf8(std::string_view text);

bool is_valid_utf8(std::string_view text);

/// The Unicode property White_Space.
bool is_white_space(char32_t code);

/// What `\w` means in tokenizer.json's single_word: letters, marks, decimal digits, connectors, joiners.
bool is_word_character(char32_t code);

/// Whether a text of this character says something: letters, digits and symbols beyond ASCII do; white space, punctuation and what nobody
/// sees do not.
bool says_something(char32_t code);

/// Moves every certain character of `bytes` to the result, one U+FFFD for each maximal ill-formed subpart; what may still become a
/// character stays in `bytes`, unless `last` says that nothing follows.
std::string take_lossy_utf8(std::string& bytes, bool last);

/// `text` with every occurrence of `from` (not empty) replaced by `to`.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

}  // namespace grpo
