#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

__extension__ typedef __int128 Int128;

/// An exact fraction in lowest terms, denominator above 0, both below 2^127 in magnitude. Arithmetic gives nothing if a result does not
/// fit.
class Rational {
 public:
  Rational() = default;
  Rational(int64_t value) : numerator_(value) {}  // NOLINT(google-explicit-constructor): an integer is a rational
  /// Nothing for a zero denominator.
  static std::optional<Rational> make(Int128 numerator, Int128 denominator);

  Int128 numerator() const { return numerator_; }
  Int128 denominator() const { return denominator_; }
  bool operator==(const Rational&) const = default;
  std::string to_string() const;  // "-3/4", "5"

 private:
  Int128 numerator_ = 0, denominator_ = 1;
};

std::optional<Rational> add(const Rational& a, const Rational& b);
std::optional<Rational> subtract(const Rational& a, const Rational& b);
std::optional<Rational> multiply(const Rational& a, const Rational& b);
/// Nothing if b is 0.
std::optional<Rational> divide(const Rational& a, const Rational& b);

/// The exact value of a written number: an integer, a decimal (".5", "27.0", "1.5e3") or a fraction of two such ("-3/4"), signs + - and
/// U+2212 allowed before each. Thousands may be set off by commas in proper groups ("1,000"). A percent sign at the end divides by 100.
/// Nothing for any other text, and for values that do not fit.
std::optional<Rational> parse_number(std::string_view text);

}  // namespace grpo
