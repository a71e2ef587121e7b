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

// Hand cases: the last depth that is read and the first that is not, in lists and in objects; a hostile text is refused without recursion.
TEST(Json, NestsToALimit) {
  EXPECT_EQ(parse_json(nested(kDeepestJson)).size(), 1u);
  EXPECT_FALSE(try_parse_json(nested(kDeepestJson)).is_discarded());
  EXPECT_TRUE(is_json(nested(kDeepestJson)));
  const auto pass = [](int, nlohmann::json::parse_event_t, nlohmann::json&) { return true; };
  for (const std::string& text :
       {nested(kDeepestJson + 1), nested(kDeepestJson + 1, R"({"a":)", "}"), nested(200000), std::string(200000, '[')}) {
    EXPECT_THROW(parse_json(text), nlohmann::json::parse_error);
    EXPECT_THROW(parse_json<nlohmann::ordered_json>(text), nlohmann::json::parse_error);
    EXPECT_THROW(parse_json(text, pass), nlohmann::json::parse_error);
    EXPECT_TRUE(try_parse_json(text).is_discarded());
    EXPECT_FALSE(is_json(text));
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
