#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// An exact fraction in lowest terms, of any size.
class Rational {
 public:
  Rational() = default;
  Rational(int64_t value);  // NOLINT(google-explicit-constructor): an integer is a rational
  Rational(const Rational& other);
  Rational(Rational&& other) noexcept;
  Rational& operator=(Rational other) noexcept;
  ~Rational();

  /// The number that the decimal digits say; the text has no sign and at least one digit.
  static Rational from_digits(std::string_view digits);

  Rational numerator() const;
  Rational denominator() const;  // above 0
  bool is_integer() const;
  int sign() const;      // -1, 0, 1
  int64_t bits() const;  // those of the numerator or of the denominator, whichever has more
  /// The value as an integer; nothing for a fraction and beyond 64 bits.
  std::optional<int64_t> to_integer() const;
  std::string to_string() const;  // "-3/4", "5"

  Rational operator-() const;
  friend Rational operator+(const Rational& a, const Rational& b);
  friend Rational operator-(const Rational& a, const Rational& b);
  friend Rational operator*(const Rational& a, const Rational& b);
  friend bool operator==(const Rational& a, const Rational& b);
  friend std::strong_ordering operator<=>(const Rational& a, const Rational& b);

 private:
  friend struct RationalParts;
  std::array<int64_t, 2> parts_ = {0, 1};  // an fmpq of FLINT, which has the arithmetic
};

/// Nothing if b is 0.
std::optional<Rational> divide(const Rational& a, const Rational& b);
/// base to the power of an integer; nothing for a negative power of 0. The result has |exponent| times the bits of the base.
std::optional<Rational> power(const Rational& base, int64_t exponent);

/// The longest text that `parse_number` reads, in bytes, and the largest power of ten that it takes, either way.
inline constexpr size_t kMaxNumberLength = 10'000;
inline constexpr int64_t kMaxPowerOfTen = 10'000;

/// The exact value of a written number: an integer, a decimal (".5", "27.0", "1.5e3") or a fraction of two such ("-3/4"), signs + - and
/// U+2212 allowed before each. Thousands may be set off by commas in proper groups ("1,000"). A percent sign at the end divides by 100.
/// Nothing for any other text.
std::optional<Rational> parse_number(std::string_view text);

}  // namespace grpo
