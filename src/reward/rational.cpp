#include "grpo/reward/rational.h"

#include <algorithm>

namespace grpo {
namespace {

__extension__ typedef unsigned __int128 UInt128;
constexpr auto kLimit = static_cast<Int128>(~UInt128{0} >> 1);  // 2^127 - 1; the one value below -kLimit is refused everywhere

UInt128 magnitude(Int128 value) { return value < 0 ? -static_cast<UInt128>(value) : static_cast<UInt128>(value); }

Int128 gcd(Int128 a, Int128 b) {
  UInt128 x = magnitude(a), y = magnitude(b);
  while (y != 0) {
    const UInt128 rest = x % y;
    x = y;
    y = rest;
  }
  return static_cast<Int128>(x);
}

// Multiplied unsigned: compilers need a run-time function that not every one ships for a checked signed product of 128 bits.
std::optional<Int128> checked_product(Int128 a, Int128 b) {
  const UInt128 x = magnitude(a), y = magnitude(b);
  if (x != 0 && y > static_cast<UInt128>(kLimit) / x) return std::nullopt;
  const auto product = static_cast<Int128>(x * y);
  return (a < 0) == (b < 0) ? product : -product;
}

std::optional<Int128> checked_sum(Int128 a, Int128 b) {
  if (b > 0 ? a > kLimit - b : a < -kLimit - b) return std::nullopt;
  return a + b;
}

}  // namespace

std::optional<Rational> Rational::make(Int128 numerator, Int128 denominator) {
  if (denominator == 0 || numerator < -kLimit || denominator < -kLimit) return std::nullopt;
  const Int128 divisor = gcd(numerator, denominator) * (denominator < 0 ? -1 : 1);
  Rational result;
  result.numerator_ = numerator / divisor;
  result.denominator_ = denominator / divisor;
  return result;
}

std::string Rational::to_string() const {
  const auto digits = [](UInt128 value) {
    std::string text;
    do text += static_cast<char>('0' + static_cast<int>(value % 10));
    while ((value /= 10) != 0);
    std::reverse(text.begin(), text.end());
    return text;
  };
  const std::string whole = (numerator_ < 0 ? "-" : "") + digits(magnitude(numerator_));
  return denominator_ == 1 ? whole : whole + "/" + digits(magnitude(denominator_));
}

std::optional<Rational> add(const Rational& a, const Rational& b) {
  const Int128 common = gcd(a.denominator(), b.denominator());
  const auto left = checked_product(a.numerator(), b.denominator() / common);
  const auto right = checked_product(b.numerator(), a.denominator() / common);
  const auto denominator = checked_product(a.denominator(), b.denominator() / common);
  if (!left || !right || !denominator) return std::nullopt;
  const auto numerator = checked_sum(*left, *right);
  return numerator ? Rational::make(*numerator, *denominator) : std::nullopt;
}

std::optional<Rational> subtract(const Rational& a, const Rational& b) {
  const auto negated = Rational::make(-b.numerator(), b.denominator());
  return negated ? add(a, *negated) : std::nullopt;
}

std::optional<Rational> multiply(const Rational& a, const Rational& b) {
  const Int128 first = gcd(a.numerator(), b.denominator());  // at least 1: a denominator is never 0
  const Int128 second = gcd(b.numerator(), a.denominator());
  const auto numerator = checked_product(a.numerator() / first, b.numerator() / second);
  const auto denominator = checked_product(a.denominator() / second, b.denominator() / first);
  return numerator && denominator ? Rational::make(*numerator, *denominator) : std::nullopt;
}

std::optional<Rational> divide(const Rational& a, const Rational& b) {
  const auto inverse = Rational::make(b.denominator(), b.numerator());
  return inverse ? multiply(a, *inverse) : std::nullopt;
}

}  // namespace grpo
