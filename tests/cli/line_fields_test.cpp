// Fields of JSON lines. Oracles: transformers' rendering of the same conversation, and what JSON says of numbers.
#include "cli/program.h"

namespace grpo {
namespace {

using testing::has;
using LineFields = testing::Program;

TEST_F(LineFields, ChatTemplatesSeeKeysInTheOrderOfTheText) {
  write("chat_template.jinja", "{{ bos_token }}{{ messages[0].x | tojson }}{{ tools | tojson }}{{ extra | tojson }}{{ eos_token }}");
  write("tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}})");
  const auto outcome =
      run("chat-template --model .",
          R"({"messages": [{"role": "user", "x": {"b": 1, "a": 2}}],)"
          R"( "tools": [{"z": 0, "name": 18446744073709551615}], "extra": {"d": 1, "c": 2}})"
          "\n"
          R"({"messages": [{"role": "user", "x": 18446744073709551616}], "id": 3})"
          "\n"
          R"({"messages": [{"role": "user", "x": {"b": 1, "a": 2}}], "tools": [{"z": 0, "name": 5}], "extra": {"d": 1, "c": 2}})");
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto rows = outcome.rows();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(has(rows[0].at("error"), "at most 64 bits; got 18446744073709551615")) << rows[0];
  EXPECT_TRUE(has(rows[1].at("error"), "at most 64 bits; got 18446744073709551616")) << rows[1];
  EXPECT_EQ(rows[1].at("id"), 3);
  EXPECT_EQ(rows[2].at("text"), R"(<s>{"b": 1, "a": 2}[{"z": 0, "name": 5}]{"d": 1, "c": 2}</s>)");
}

TEST_F(LineFields, IdsAreIntegers) {
  save_model("model");
  const auto rows = run("logprobs --model model", R"({"ids": [1, 2]}
{"ids": [1.0, 2]}
{"ids": [1, true]}
{"ids": [4294967297, 2]}
{"ids": 5})")
                        .rows();
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0].at("logprobs").size(), 1U);
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_TRUE(has(rows[i].at("error"), "expected a list of integers for 'ids'")) << rows[i];
}

}  // namespace
}  // namespace grpo
