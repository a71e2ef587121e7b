#include <algorithm>

#include "grpo/data/strings.h"
#include "grpo/math/rational.h"
#include "math/decimal.h"

namespace grpo {
namespace {

/// Reads a written number from the front of `rest`.
class NumberReader {
 public:
  explicit NumberReader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  void skip_space() { rest_ = trim(rest_); }

  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  /// A sign, digits with or without groups, a decimal part, an exponent.
  std::optional<Rational> read() {
    const bool negative = take("-") || take("\xE2\x88\x92");  // U+2212, the minus sign
    if (!negative) take("+");
    skip_space();
    Decimal decimal;
    read_whole_part(decimal);
    if (take(".")) decimal.decimals = take_digits();
    if (decimal.whole.empty() && decimal.decimals.empty()) return std::nullopt;
    if ((take("e") || take("E")) && !read_exponent(decimal)) return std::nullopt;
    const auto value = decimal.value();
    return value && negative ? -*value : value;
  }

 private:
  bool next_is_digit(size_t at = 0) const { return at < rest_.size() && is_digit(rest_[at]); }

  std::string take_digits() {
    size_t count = 0;
    while (next_is_digit(count)) ++count;
    std::string digits(rest_.substr(0, count));
    rest_.remove_prefix(count);
    return digits;
  }

  void read_whole_part(Decimal& decimal) {
    decimal.whole = take_digits();
    if (decimal.whole.empty() || decimal.whole.size() > 3) return;
    while (rest_.starts_with(",") && next_is_digit(1) && next_is_digit(2) && next_is_digit(3) && !next_is_digit(4)) {
      decimal.whole += rest_.substr(1, 3);
      rest_.remove_prefix(4);
    }
  }

  bool read_exponent(Decimal& decimal) {
    const bool negative = take("-");
    if (!negative) take("+");
    const std::string digits = take_digits();
    const auto exponent = digits.empty() || digits.size() > 18 ? std::nullopt : Rational::from_digits(digits).to_integer();
    if (!exponent) return false;
    decimal.exponent = negative ? -*exponent : *exponent;
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<Rational> Decimal::value() const {
  if (exponent < -kMaxPowerOfTen || exponent > kMaxPowerOfTen) return std::nullopt;
  const std::string digits = whole + decimals + repeating;
  if (digits.empty() || digits.size() > kMaxNumberLength) return std::nullopt;
  const auto ten_to = [](int64_t n) { return *power(10, n); };
  const auto shift = ten_to(exponent - static_cast<int64_t>(decimals.size()));
  const Rational fixed = Rational::from_digits("0" + whole + decimals);
  if (repeating.empty()) return fixed * shift;
  const auto period = divide(Rational::from_digits(repeating), ten_to(static_cast<int64_t>(repeating.size())) - 1);
  return (fixed + *period) * shift;
}

std::optional<Rational> parse_number(std::string_view text) {
  if (text.size() > kMaxNumberLength) return std::nullopt;
  NumberReader reader(trim(text));
  std::optional<Rational> value = reader.read();
  reader.skip_space();
  if (value && reader.take("/")) {
    reader.skip_space();
    const auto denominator = reader.read();
    value = denominator ? divide(*value, *denominator) : std::nullopt;
    reader.skip_space();
  }
  if (value && reader.take("%")) value = divide(*value, 100);
  return reader.at_end() ? value : std::nullopt;
}

}  // namespace grpo
