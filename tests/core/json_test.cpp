#include "core/json.h"

#include <gtest/gtest.h>

#include <string>

namespace grpo {
namespace {

std::string nested(int depth, const std::string& open = "[", const std::string& close = "]") {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  text += "0";
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

constexpr int kDeepest = 200;

// Hand cases: the last depth that is read and the first that is not, in lists and in objects; a hostile text is refused without recursion.
TEST(Json, NestsToALimit) {
  EXPECT_EQ(parse_json(nested(kDeepest)).size(), 1u);
  EXPECT_FALSE(try_parse_json(nested(kDeepest)).is_discarded());
  EXPECT_TRUE(is_json(nested(kDeepest)));
  for (const std::string& text : {nested(kDeepest + 1), nested(kDeepest + 1, R"({"a":)", "}"), nested(200000), std::string(200000, '[')}) {
    EXPECT_THROW(parse_json(text), nlohmann::json::parse_error);
    EXPECT_THROW(parse_json<nlohmann::ordered_json>(text), nlohmann::json::parse_error);
    EXPECT_TRUE(try_parse_json(text).is_discarded());
    EXPECT_FALSE(is_json(text));
  }
  EXPECT_EQ(parse_json(nested(3), {.depth = 3}).size(), 1u);
  EXPECT_THROW(parse_json(nested(4), {.depth = 3}), nlohmann::json::parse_error);
}

TEST(Json, LimitsKeys) {
  EXPECT_EQ(parse_json(R"({"a": 1, "b": {"a": 1, "c": 2}})", {.keys = 2}).size(), 2u);
  EXPECT_THROW(parse_json(R"({"a": 1, "b": 2, "c": 3})", {.keys = 2}), nlohmann::json::parse_error);
  EXPECT_EQ(parse_json(R"({"a": 1, "a": 2})").at("a"), 2);
  EXPECT_THROW(parse_json(R"([{"a": 1, "a": 2}])", {.unique_keys = true}), nlohmann::json::parse_error);
}

// Oracle: Python's json, which keeps integers of any size; the text that comes out is the text that went in.
TEST(Json, KeepsTheDigitsOfIntegers) {
  for (const char* digits : {"18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809",
                             "123456789012345678901234567890123456789012345678901234567890"}) {
    EXPECT_EQ(to_text(parse_json(digits)), digits);
    EXPECT_EQ(to_printable_text(parse_json<nlohmann::ordered_json>(digits)), digits);
    const std::string text = std::string(R"({"b":[1,)") + digits + R"(,"x\"",{}],"a":1.5})";
    EXPECT_EQ(to_text(parse_json<nlohmann::ordered_json>(text)), text);
  }
  EXPECT_TRUE(is_big_integer(parse_json("18446744073709551616")));
  EXPECT_FALSE(is_big_integer(parse_json("18446744073709551615")));
  EXPECT_FALSE(is_big_integer(parse_json("1e30")));
  EXPECT_EQ(type_name(parse_json("18446744073709551616")), std::string("number"));
  EXPECT_EQ(to_text(parse_json(R"({"a":[18446744073709551616,[]]})"), 1), "{\n \"a\": [\n  18446744073709551616,\n  []\n ]\n}");
  EXPECT_THROW(parse_json("1e400"), nlohmann::json::out_of_range);
}

// Oracle: the library's own parser.
TEST(Json, ReadsAsTheLibraryDoes) {
  for (const char* text :
       {R"({"b": [1, -2, 2.5, "x\u00e9\n", true, null, {}, []], "a": {"c": {"d": [[1], {"e": 2}]}}})", "7", "\"x\"", "[]"}) {
    EXPECT_EQ(parse_json(text), nlohmann::json::parse(text));
    EXPECT_EQ(parse_json<nlohmann::ordered_json>(text), nlohmann::ordered_json::parse(text));
    EXPECT_EQ(to_text(parse_json(text), 2), nlohmann::json::parse(text).dump(2));
  }
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "1 2", "\"\xff\"", "nul"}) {
    EXPECT_THROW(parse_json(text), nlohmann::json::parse_error) << text;
    EXPECT_FALSE(is_json(text)) << text;
  }
}

// Hand cases: what only looks like nesting.
TEST(Json, CountsNoBracketsInStrings) {
  const std::string brackets(1000, '[');
  EXPECT_EQ(parse_json("\"" + brackets + "\"").get<std::string>(), brackets);
  EXPECT_EQ(parse_json(R"(["\"[", ")" + brackets + "\\\\\"]").size(), 2u);
  std::string many = "[";
  for (int i = 0; i < 1000; ++i) many += "[],";
  EXPECT_EQ(parse_json(many + "{}]").size(), 1001u);
}

}  // namespace
}  // namespace grpo
