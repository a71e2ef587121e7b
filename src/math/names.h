#pragma once

#include <string>
#include <string_view>

namespace grpo {

/// What a name of LaTeX or plain text stands for in a token.
struct NameMeaning {
  enum class Kind { kNone, kSymbol, kFunction, kLetter, kDropped, kDroppedWithArgument, kText, kStyle, kSetLetter, kEnvironment };
  Kind kind = Kind::kNone;
  std::string_view name;  // the one name of its meaning
};

/// Of a LaTeX command, without its backslash.
NameMeaning meaning_of_command(std::string_view name);

/// Of a run of letters without a backslash: the functions, constants and connectives that people write so.
NameMeaning meaning_of_word(std::string_view word);

}  // namespace grpo
