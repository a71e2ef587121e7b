#include "grpo/data/strings.h"
#include "grpo/reward/rational.h"

namespace grpo {
namespace {

constexpr int kMaxExponent = 99;  // beyond it no value but 0 fits

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
    std::optional<Rational> value = read_whole_part();
    if (take(".")) value = value ? read_decimals(*value) : std::nullopt;
    if (!has_digits_) return std::nullopt;
    if (value && (take("e") || take("E"))) value = read_exponent(*value);
    return value && negative ? subtract(0, *value) : value;
  }

 private:
  static std::optional<Rational> append_digit(const Rational& value, char digit) {
    const auto shifted = multiply(value, 10);
    return shifted ? add(*shifted, digit - '0') : std::nullopt;
  }

  bool next_is_digit(size_t at = 0) const { return at < rest_.size() && is_digit(rest_[at]); }

  std::optional<Rational> read_whole_part() {
    std::optional<Rational> value = Rational(0);
    int since_comma = 0;
    bool grouped = false;
    while (value) {
      const bool group_follows = next_is_digit(1) && next_is_digit(2) && next_is_digit(3) && !next_is_digit(4);
      if (next_is_digit()) {
        value = append_digit(*value, rest_.front());
        has_digits_ = true;
        ++since_comma;
      } else if (rest_.starts_with(",") && group_follows && since_comma >= 1 && since_comma <= 3) {
        grouped = true;
        since_comma = 0;
      } else {
        break;
      }
      rest_.remove_prefix(1);
    }
    return grouped && since_comma != 3 ? std::nullopt : value;
  }

  std::optional<Rational> read_decimals(const Rational& whole) {
    std::optional<Rational> value = whole;
    Rational unit = 1;
    while (value && next_is_digit()) {
      const auto smaller = divide(unit, 10);
      const auto digit = smaller ? multiply(*smaller, rest_.front() - '0') : std::nullopt;
      value = digit ? add(*value, *digit) : std::nullopt;
      if (smaller) unit = *smaller;
      has_digits_ = true;
      rest_.remove_prefix(1);
    }
    return value;
  }

  std::optional<Rational> read_exponent(std::optional<Rational> value) {
    const bool negative = take("-");
    if (!negative) take("+");
    if (!next_is_digit()) return std::nullopt;
    int exponent = 0;
    for (; next_is_digit(); rest_.remove_prefix(1)) exponent = std::min(kMaxExponent + 1, exponent * 10 + (rest_.front() - '0'));
    if (exponent > kMaxExponent) return std::nullopt;
    for (int i = 0; value && i < exponent; ++i) value = negative ? divide(*value, 10) : multiply(*value, 10);
    return value;
  }

  std::string_view rest_;
  bool has_digits_ = false;
};

}  // namespace

std::optional<Rational> parse_number(std::string_view text) {
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
