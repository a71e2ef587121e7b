#include "grpo/reward/expression.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace grpo {
namespace {

std::string value_of(const std::string& text) {
  const auto parsed = parse_expression(text);
  if (!parsed) return "(invalid)";
  return parsed->value ? parsed->value->to_string() : "(none)";
}

TEST(Expression, FollowsTheUsualRules) {
  EXPECT_EQ(value_of("1 + 2 * 3"), "7");
  EXPECT_EQ(value_of("(1 + 2) * 3"), "9");
  EXPECT_EQ(value_of("8 - 3 - 2"), "3");
  EXPECT_EQ(value_of("8 / 4 / 2"), "1");
  EXPECT_EQ(value_of("\n1/3 + ((1/6))\t"), "1/2");
  EXPECT_EQ(value_of("3 - 5"), "-2");
  EXPECT_EQ(value_of("0"), "0");
  EXPECT_EQ(parse_expression("55 + (36-55)*7")->numbers, (std::vector<int64_t>{55, 36, 55, 7}));
}

TEST(Expression, DivisionByZeroHasNoValueAndNoSizeIsTooLarge) {
  EXPECT_EQ(value_of("1 / (2 - 2)"), "(none)");
  EXPECT_EQ(value_of("0 * (1 / 0)"), "(none)");
  EXPECT_EQ(value_of("999999999999999999 * 999999999999999999 * 999999999999999999"),
            "999999999999999997000000000000000002999999999999999999");
}

TEST(Expression, EverythingElseIsInvalid) {
  for (const char* text : {"",   " ",  "2**3", "7//2", "2.5*4", "9**9**9", "-3+5",  "3+-5",   "+3",  "2(3)", "(2)(3)", "2 3",
                           "1+", "*2", "(1+2", "1+2)", "()",    "1+2=3",   "x",     "abs(3)", "1e3", "0x10", "1_000",  "1,000",
                           "05", "00", "5!",   "2^3",  "5 % 3", "1 + 2;",  "__a__", "2 × 3",  "[1]", "1<<2", "1 and 2"}) {
    EXPECT_EQ(value_of(text), "(invalid)") << text;
  }
  EXPECT_EQ(value_of(std::string("1+2\0", 4)), "(invalid)");
  EXPECT_EQ(value_of("1234567890123456789"), "(invalid)");  // 19 digits
}

TEST(Expression, DepthAndLengthAreLimited) {
  const auto nested = [](size_t depth) { return std::string(depth, '(') + "1" + std::string(depth, ')'); };
  EXPECT_EQ(value_of(nested(50)), "1");
  EXPECT_EQ(value_of(nested(51)), "(invalid)");
  EXPECT_EQ(value_of(std::string(100'000, '(')), "(invalid)");
  EXPECT_EQ(value_of("1" + std::string(999, ' ')), "1");
  EXPECT_EQ(value_of("1" + std::string(1000, ' ')), "(invalid)");
}

struct Drawn {
  std::string text;
  Rational value;
};

Drawn draw(int depth) {
  if (depth == 0 || *rc::gen::inRange(0, 4) == 0) {
    const int64_t number = *rc::gen::inRange(0, 100);
    return {std::to_string(number), number};
  }
  const Drawn a = draw(depth - 1), b = draw(depth - 1);
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      return {"(" + a.text + "+" + b.text + ")", a.value + b.value};
    case 1:
      return {"(" + a.text + "-" + b.text + ")", a.value - b.value};
    case 2:
      return {"(" + a.text + "*" + b.text + ")", a.value * b.value};
    default: {
      if (b.value == Rational(0)) return a;
      return {"(" + a.text + "/" + b.text + ")", *divide(a.value, b.value)};
    }
  }
}

/// Oracle: the value that was computed while the text was built.
TEST(Expression, ReadsBackDrawnTrees) {
  EXPECT_TRUE(rc::check("value of a drawn expression", [] {
    const Drawn drawn = draw(3);
    const auto parsed = parse_expression(drawn.text);
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(parsed->value.has_value());
    RC_ASSERT(*parsed->value == drawn.value);
  }));
}

}  // namespace
}  // namespace grpo
