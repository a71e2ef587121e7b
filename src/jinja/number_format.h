#pragma once

#include <cstdint>
#include <string>

namespace grpo::jinja {

/// How `%` and str.format() print a number.
struct NumberStyle {
  char type = 'd';         // of an integer b, d, o, x or X; of a real e, E, f, F, g, G, or '\0' for repr() cut to the precision
  int64_t precision = -1;  // < 0: not given
  bool alternate = false;  // '#'
  char sign = '-';         // '-', '+' or ' '
  char grouping = '\0';    // ',' or '_'
};

/// A number before it is padded: sign and base, and what follows.
struct PrintedNumber {
  std::string prefix;
  std::string digits;
};

PrintedNumber print_integer(int64_t value, const NumberStyle& style);
PrintedNumber print_real(double value, const NumberStyle& style);
/// `digits` with the style's separator, after as many zeros as make them at least `width` characters.
std::string grouped(std::string digits, const NumberStyle& style, int64_t width);

}  // namespace grpo::jinja
