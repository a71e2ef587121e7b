#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/math/rational.h"

namespace grpo {

/// A piece of an answer, LaTeX or plain.
struct Token {
  enum class Kind {
    kNumber,   // digits with groups, decimals, a power of ten; `text` holds them as written
    kLetter,   // one letter, or the name of a Greek one
    kWord,     // several letters in a row
    kText,     // what stands in \text{…}
    kCommand,  // a function or LaTeX command, without its backslash
    kSymbol,   // an operator, bracket or separator, under one name however it was written: "<=", "union"
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;
  Rational value;             // of a number
  bool space_before = false;  // white space or a LaTeX space
  bool upright = false;       // stands in \mathrm{…} or \text{…}: a unit rather than a letter that stands for a number

  bool is(std::string_view symbol) const { return kind == Kind::kSymbol && text == symbol; }
};

/// The longest answer that is read, in bytes, and the most tokens.
inline constexpr size_t kMaxAnswerLength = 4'000, kMaxTokens = 1'500;

/// The pieces of an answer, an end last: look-alikes of Unicode taken for what they look like, spacing, styles and \left, \right dropped.
/// Nothing for what is too long.
std::optional<std::vector<Token>> tokenize(std::string_view answer);

/// `answer` with the signs of Unicode written as ASCII or LaTeX: full-width digits, "²", "½", "≤", "π".
std::string plain_signs(std::string_view answer);

}  // namespace grpo
