#include "grpo/reward/rational.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

namespace grpo {
namespace {

constexpr Int128 kHuge = (static_cast<Int128>(1) << 126) - 1;  // twice it fits, three times does not

Rational fraction(int64_t top, int64_t bottom) { return *Rational::make(top, bottom); }

long double real(const Rational& value) {
  return static_cast<long double>(value.numerator()) / static_cast<long double>(value.denominator());
}

TEST(Rational, IsKeptInLowestTerms) {
  EXPECT_EQ(fraction(6, -8).to_string(), "-3/4");
  EXPECT_EQ(fraction(-10, -5), Rational(2));
  EXPECT_EQ(fraction(0, -5).to_string(), "0");
  EXPECT_FALSE(Rational::make(1, 0));
  EXPECT_FALSE(divide(1, 0));
}

/// Oracle: long double, exact enough for operands of 31 bits; and the field laws.
TEST(Rational, ArithmeticAgreesWithRealNumbers) {
  EXPECT_TRUE(rc::check("against long double", [] {
    // sums of three such products stay far from 128 bits
    const auto draw = [] { return fraction(*rc::gen::inRange(-1000000, 1000000), *rc::gen::inRange(1, 1000000)); };
    const Rational a = draw(), b = draw(), c = draw();
    const auto near = [](const std::optional<Rational>& value, long double wanted) {
      return value && std::fabs(real(*value) - wanted) <= 1e-15L * std::max(1.0L, std::fabs(wanted));
    };
    RC_ASSERT(near(multiply(a, b), real(a) * real(b)));
    RC_ASSERT(near(subtract(a, a), 0));
    RC_ASSERT(std::fabs(real(*add(a, b)) - (real(a) + real(b))) <= 1e-15L * (std::fabs(real(a)) + std::fabs(real(b)) + 1));
    RC_ASSERT(*add(a, b) == *add(b, a));
    RC_ASSERT(*subtract(*add(a, b), b) == a);
    RC_ASSERT(b == Rational(0) || *multiply(*divide(a, b), b) == a);
    const auto left = multiply(a, *add(b, c)), right = add(*multiply(a, b), *multiply(a, c));
    RC_ASSERT(left && right && *left == *right);
  }));
}

TEST(Rational, IntegersAreExact) {
  EXPECT_TRUE(rc::check("against 64-bit integers", [](int32_t a, int32_t b) {
    RC_ASSERT(*add(a, b) == Rational(static_cast<int64_t>(a) + b));
    RC_ASSERT(*multiply(a, b) == Rational(static_cast<int64_t>(a) * b));
    RC_ASSERT(*parse_number(std::to_string(a)) == Rational(a));
  }));
}

TEST(Rational, OverflowGivesNothing) {
  const Rational big = *Rational::make(kHuge, 1);
  EXPECT_FALSE(multiply(big, 3));
  EXPECT_FALSE(add(*add(big, big), big));
  EXPECT_FALSE(divide(*divide(1, big), 3));
  EXPECT_EQ(*multiply(*divide(1, big), big), Rational(1));
  const Int128 least = -(static_cast<Int128>(1) << 126) - (static_cast<Int128>(1) << 126);
  EXPECT_FALSE(Rational::make(least, 1));
  EXPECT_FALSE(Rational::make(1, least));
  EXPECT_EQ(Rational::make(least + 1, 1)->to_string(), "-170141183460469231731687303715884105727");
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
  for (const char* text :
       {"",      " ",  "-",   ".",     "-.",   "1,2", "1,23", "1,2345", "1000,000", ",100", "1,000,00", "1..2", "1.2.3", "1/0", "1/",  "/2",
        "1/2/3", "1e", "1e+", "1e100", "1e99", "x",   "5x",   "5 6",    "--5",      "0x10", "inf",      "nan",  "5%%",   "%",   "52_8"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
  EXPECT_FALSE(parse_number(std::string(40, '5')));
  EXPECT_FALSE(parse_number("0." + std::string(40, '5')));
  EXPECT_EQ(*parse_number(std::string(100'000, '0') + "7"), Rational(7));
}

}  // namespace
}  // namespace grpo
