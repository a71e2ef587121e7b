#include "grpo/math/rational.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace grpo {
namespace {

Rational fraction(int64_t top, int64_t bottom) { return *divide(top, bottom); }

long double real(const Rational& value) {
  return static_cast<long double>(*value.numerator().to_integer()) / static_cast<long double>(*value.denominator().to_integer());
}

TEST(Rational, IsKeptInLowestTerms) {
  EXPECT_EQ(fraction(6, -8).to_string(), "-3/4");
  EXPECT_EQ(fraction(-10, -5), Rational(2));
  EXPECT_EQ(fraction(0, -5).to_string(), "0");
  EXPECT_FALSE(divide(1, 0));
  EXPECT_FALSE(power(0, -1));
}

/// Oracle: long double, exact enough for operands of 31 bits; and the field laws.
TEST(Rational, ArithmeticAgreesWithRealNumbers) {
  rc::check("against long double", [] {
    const auto draw = [] { return fraction(*rc::gen::inRange(-1000000, 1000000), *rc::gen::inRange(1, 1000000)); };
    const Rational a = draw(), b = draw(), c = draw();
    const auto near = [](const Rational& value, long double wanted) {
      return std::fabs(real(value) - wanted) <= 1e-15L * std::max(1.0L, std::fabs(wanted));
    };
    RC_ASSERT(near(a * b, real(a) * real(b)));
    RC_ASSERT((a - a).sign() == 0);
    RC_ASSERT(std::fabs(real(a + b) - (real(a) + real(b))) <= 1e-15L * (std::fabs(real(a)) + std::fabs(real(b)) + 1));
    RC_ASSERT(a + b == b + a);
    RC_ASSERT((a + b) - b == a);
    RC_ASSERT(-(-a) == a);
    RC_ASSERT(b.sign() == 0 || *divide(a, b) * b == a);
    RC_ASSERT(a * (b + c) == a * b + a * c);
    RC_ASSERT((a < b) == (real(a) < real(b)));
  });
}

TEST(Rational, IntegersAreExact) {
  rc::check("against 64-bit integers", [](int32_t a, int32_t b) {
    RC_ASSERT(Rational(a) + b == Rational(static_cast<int64_t>(a) + b));
    RC_ASSERT(Rational(a) * b == Rational(static_cast<int64_t>(a) * b));
    RC_ASSERT(*parse_number(std::to_string(a)) == Rational(a));
    RC_ASSERT((Rational(a) * b).to_integer() == static_cast<int64_t>(a) * b);
  });
}

/// Oracle: 3^k by repeated products, and the value's own digits read again.
TEST(Rational, GrowsWithoutLimit) {
  Rational product = 1;
  for (int i = 0; i < 1000; ++i) product = product * 3;
  EXPECT_EQ(*power(3, 1000), product);
  EXPECT_EQ(product.bits(), 1585);  // 1000 log2(3)
  EXPECT_EQ(Rational::from_digits(product.to_string()), product);
  EXPECT_FALSE(product.to_integer());
  EXPECT_EQ(*divide(product, *power(3, 999)), Rational(3));
  Rational copy = product, moved = std::move(copy);
  copy = moved;
  EXPECT_EQ(copy, product);
}

TEST(ParseNumber, ReadsWhatIsANumber) {
  const struct {
    const char* text;
    Rational value;
  } cases[] = {{"42", 42},
               {" 042 ", 42},
               {"+42", 42},
               {"- 7", -7},
               {"\xE2\x88\x92"
                "7",
                -7},
               {"1,000", 1000},
               {"12,345,678", 12345678},
               {"1,234.50", fraction(2469, 2)},
               {"27.0", 27},
               {"72.", 72},
               {".5", fraction(1, 2)},
               {"-0.125", fraction(-1, 8)},
               {"3/4", fraction(3, 4)},
               {"-3 / -4", fraction(3, 4)},
               {"1.5/3", fraction(1, 2)},
               {"50%", fraction(1, 2)},
               {"12.5 %", fraction(1, 8)},
               {"4.5e3", 4500},
               {"1e-2", fraction(1, 100)},
               {"0e99", 0},
               {"9007199254740993", 9007199254740993}};
  for (const auto& [text, value] : cases) {
    const auto parsed = parse_number(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, value) << text << " read as " << parsed->to_string();
  }
}

TEST(ParseNumber, ReadsNothingElse) {
  for (const char* text : {"",     " ",     "-",   ".",    "-.",  "1,2",   "1,23", "1,2345", "1000,000", ",100",     "1,000,00",
                           "1..2", "1.2.3", "1/0", "1/",   "/2",  "1/2/3", "1e",   "1e+",    "1e99999",  "1e-10001", "x",
                           "5x",   "5 6",   "--5", "0x10", "inf", "nan",   "5%%",  "%",      "52_8"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
  EXPECT_FALSE(parse_number(std::string(kMaxNumberLength, '0') + "7"));
  EXPECT_FALSE(parse_number("1e99999999999999999999"));
}

TEST(ParseNumber, HasNoLimitOnDigitsBelowTheLongestText) {
  EXPECT_EQ(*parse_number(std::string(40, '5')), Rational::from_digits(std::string(40, '5')));
  EXPECT_EQ(*parse_number("1e100"), *power(10, 100));
  EXPECT_EQ(*parse_number("0." + std::string(99, '0') + "1"), *power(10, -100));
  EXPECT_EQ(*parse_number(std::string(5000, '0') + "7"), Rational(7));
}

}  // namespace
}  // namespace grpo
