#include "jinja/number_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "jinja/format.h"

namespace grpo::jinja {
namespace {

std::string sign_of(bool negative, char sign) { return negative ? "-" : sign == '-' ? "" : std::string(1, sign); }

std::string printed(double value, char type, int64_t precision, bool alternate) {
  const char pattern[] = {'%', '#', '.', '*', type, '\0'};
  const char plain[] = {'%', '.', '*', type, '\0'};
  const char* used = alternate ? pattern : plain;
  const int digits = static_cast<int>(precision);
  std::string text(static_cast<size_t>(std::snprintf(nullptr, 0, used, digits, value)), '\0');
  std::snprintf(text.data(), text.size() + 1, used, digits, value);
  return text;
}

/// repr() cut to `precision` digits, which keeps ".0" or an exponent, so that it still reads as a real.
std::string cut_repr(double value, int64_t precision, bool alternate) {
  if (precision < 0) return real_repr(value);
  precision = std::max<int64_t>(precision, 1);
  std::string text = printed(value, 'g', precision, alternate);
  if (!std::isfinite(value) || text.find_first_of(".e") != std::string::npos) return text;
  if (static_cast<int64_t>(text.size()) < precision) return text + ".0";
  text = printed(value, 'e', precision - 1, false);
  const size_t exponent = text.find('e');
  size_t end = exponent;
  if (text.find('.') < exponent) {
    while (text[end - 1] == '0') --end;
    if (text[end - 1] == '.') --end;
  }
  return text.erase(end, exponent - end);
}

}  // namespace

PrintedNumber print_integer(int64_t value, const NumberStyle& style) {
  const bool upper = style.type == 'X';
  const unsigned base = style.type == 'b' ? 2 : style.type == 'o' ? 8 : style.type == 'x' || upper ? 16 : 10;
  uint64_t magnitude = value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  PrintedNumber made{sign_of(value < 0, style.sign), ""};
  if (style.alternate && base != 10) made.prefix += {'0', style.type};
  do {
    made.digits += (upper ? "0123456789ABCDEF" : "0123456789abcdef")[magnitude % base];
    magnitude /= base;
  } while (magnitude != 0);
  while (static_cast<int64_t>(made.digits.size()) < style.precision) made.digits += '0';
  std::reverse(made.digits.begin(), made.digits.end());
  return made;
}

PrintedNumber print_real(double value, const NumberStyle& style) {
  const double magnitude = std::signbit(value) ? -value : value;
  PrintedNumber made{sign_of(std::signbit(value) && !std::isnan(value), style.sign), ""};
  const int64_t precision = style.precision < 0 ? 6 : style.precision;
  made.digits = style.type == '\0' ? cut_repr(std::isnan(value) ? value : magnitude, style.precision, style.alternate)
                                   : printed(std::isnan(value) ? std::abs(value) : magnitude, style.type, precision, style.alternate);
  return made;
}

std::string grouped(std::string digits, const NumberStyle& style, int64_t width) {
  const bool whole = std::string_view("boxX").find(style.type) != std::string_view::npos;
  const size_t number = whole ? digits.size() : std::min(digits.find_first_not_of("0123456789"), digits.size());
  const size_t group = whole ? 4 : 3;
  const std::string rest = digits.substr(number);
  digits.resize(number);
  const auto missing = [&] {
    const size_t separators = style.grouping == '\0' || digits.empty() ? 0 : (digits.size() - 1) / group;
    return width - static_cast<int64_t>(digits.size() + separators + rest.size());
  };
  for (int64_t lacking = missing(); lacking > 0; lacking = missing()) {
    digits.insert(0, static_cast<size_t>(style.grouping == '\0' ? lacking : std::max<int64_t>(lacking / 2, 1)), '0');
  }
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (style.grouping != '\0' && i > 0 && (digits.size() - i) % group == 0) out += style.grouping;
    out += digits[i];
  }
  return out + rest;
}

}  // namespace grpo::jinja
