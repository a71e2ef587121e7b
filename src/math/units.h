#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/math/rational.h"

namespace grpo {

/// A word behind a number with its power: "cm" with 2; after a stroke or "per" the power is negative.
struct UnitWord {
  std::string word;
  int power = 1;
};

/// One name for a unit however it is written ("mi/h" for "mph" and "miles per hour"), or for the things counted ("apple"); empty for
/// "units". Nothing where a word changes the number's value or is none that stands behind a number ("squared", "eighths", "or").
std::optional<std::string> unit_name(const std::vector<UnitWord>& words);

/// The number that a word behind a number multiplies it by: "million", "dozen", "percent" (a hundredth).
std::optional<Rational> multiplier(std::string_view word);

/// Whether the word is a unit of measure, not only possibly a thing counted.
bool is_unit(std::string_view word);

/// Whether the word is one of the language's, which never stands for a product of letters: "is", "or", "the".
bool is_small_word(std::string_view word);

}  // namespace grpo
