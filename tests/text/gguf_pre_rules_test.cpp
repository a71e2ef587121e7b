#include "text/gguf_pre_rules.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "io/temp_folder.h"
#include "text/byte_level.h"
#include "text/gguf_metadata.h"
#include "text/pre_tokenizer.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Json;

/// Of a tokenizer whose pre-tokenizer has that name.
Json tokenizer_json(const std::string& pre) {
  testing::GgufMetadata metadata("gpt2", {"a", "b", "ab", "<s>"}, {1, 1, 1, 3});
  metadata.text("tokenizer.ggml.pre", pre).texts("tokenizer.ggml.merges", {"a b"}).id("bos_token_id", 3);
  return Json::parse(metadata.load()->files().at("tokenizer.json"));
}

/// The pieces with a bar between them.
std::string cut(const std::string& pre, const std::string& text) {
  std::vector<text::Piece> pieces{{text, true}};
  text::parse_pre_tokenizer(tokenizer_json(pre).at("pre_tokenizer"))(pieces);
  std::string out;
  for (const auto& piece : pieces) out += (out.empty() ? "" : "|") + text::alphabet_to_bytes(piece.text).value();
  return out;
}

// Oracle: Hugging Face's tokenizers 0.23.3 on the same tokenizer.json, piece by piece, looked through against llama.cpp's expressions: one
// text with what the rules differ in.
TEST(GgufPreRules, CutAsTheReference) {
  const std::string text = "He'LL pay $1234567 now, it's 12!\n\n  fooBar/x 日本カナ 한글 e\u0301t `a` (b)\t  ";
  const std::map<std::string, std::string> expected = {
      {"afmoe", "He|'LL| pay| $|1|234|567| now|,| it|'s| |12|!\n\n| | fooBar|/x| |日本カナ| |한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"bailingmoe", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"chameleon",
       "He|'|LL| pay| |$|1|2|3|4|5|6|7| now|,| it|'|s| |1|2|!|\n|\n|  |fooBar|/|x| 日本カナ| 한글| e|\u0301|t| |`|a|`| |(|b|)|\t|  "},
      {"dbrx", "He|'LL| pay| $|123|456|7| now|,| it|'s| |12|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"deepseek-coder",
       "He|'|LL| pay| $|1|2|3|4|5|6|7| now|,| it|'|s| |1|2|!|\n|\n| | fooBar|/|x| |日本カナ| |한글| e|\u0301|t| `|a|`| (|b|)|\t  "},
      {"deepseek-llm",
       "He|'|LL| pay| $|1234567| now|,| it|'|s| |12|!|\n|\n| | fooBar|/|x| |日本カナ| |한글| e|\u0301|t| `|a|`| (|b|)|\t  "},
      {"deepseek-v3", "He|'LL| pay| $|123|456|7| now|,| it|'s| |12|!\n\n| | fooBar|/x| |日本カナ| 한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"default", "He|'|LL| pay| |$|123|456|7| now|,| it|'|s| |12|!|\n\n | fooBar|/|x| 日本カナ| 한글| e|\u0301|t| `|a|`| |(|b|)|\t  "},
      {"exaone-moe", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!\n|\n| | fooBar|/x 日本カナ 한글 e\u0301t| `|a|`| (|b|)|\t  "},
      {"falcon", "He|'|LL| pay| |$|123|456|7| now|,| it|'|s| 12|!|\n\n | fooBar|/|x| 日本カナ| 한글| e|\u0301|t| |`|a|`| |(|b|)|\t  "},
      {"gpt-2", "He|'|LL| pay| $|1234567| now|,| it|'s| 12|!|\n\n | fooBar|/|x| 日本カナ| 한글| e|\u0301|t| `|a|`| (|b|)|\t  "},
      {"gpt-4o", "He'LL| pay| $|123|456|7| now|,| it's| |12|!\n\n| | foo|Bar|/x| 日本カナ| 한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"granite-embed-multi-97m",
       "He'LL| pay| $|123|456|7| now|,| it's| |12|!\n\n| | foo|Bar|/x| 日本カナ| 한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"jais-2", "He|'LL| pay| $|123|456|7| now|,| it|'s| |12|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t | "},
      {"laguna", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!|\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"llama-bpe", "He|'LL| pay| $|123|456|7| now|,| it|'s| |12|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"minicpm5", "He|'LL| pay| $|123|456|7| now|,| it|'s| |12|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"poro-chat", "He'LL| pay| $1234567| now|,| it's| 12|!\n\n | fooBar/x| 日本カナ| 한글| e\u0301t| `a`| (|b|)\t  "},
      {"qwen2", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"qwen35", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!\n\n| | fooBar|/x| 日本カナ| 한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"seed-coder", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!|\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"smollm", "He|'|LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!|\n\n | fooBar|/|x| 日本カナ| 한글| e|\u0301|t| `|a|`| (|b|)|\t  "},
      {"spark2_5", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!|\n|\n| | fooBar|/x| |日本カナ| 한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"stablelm2", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"superbpe", "He'LL pay $|1|234|567| now, it's |12|!\n\n  fooBar/x 日本カナ 한글 e\u0301t `a` (b)\t  "},
      {"tekken", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!\n\n| | foo|Bar|/x| 日本カナ| 한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"tiny_aya", "He'LL| pay| $|1|234|567| now|,| it's| |12|!\n\n| | foo|Bar|/x| 日本カナ| 한글| e\u0301t| `|a|`| (|b|)|\t  "},
      {"ufakzeka", "He|'LL| pay| $|1|2|3|4|5|6|7| now|,| it|'s| |1|2|!\n\n| | fooBar|/x| 日本カナ| 한글| e|\u0301t| `|a|`| (|b|)|\t  "},
      {"viking", "He'LL| pay| $|1|2|3|4|5|6|7| now|,| it's| |1|2|!\n\n | fooBar/x| 日本カナ| 한글| e\u0301t| `a`| (|b|)\t  "},
      {"youtu", "He'LL| pay| $|1|2|3|4|5|6|7| now|,| it's| |1|2|!\n\n| | foo|Bar|/x| |日本カナ| |한글| e\u0301t| `|a|`| (|b|)|\t  "},
  };
  for (const auto& rule : text::pre_rules()) {
    const std::string name(rule.names.front());
    SCOPED_TRACE(name);
    ASSERT_TRUE(expected.contains(name));
    EXPECT_EQ(cut(name, text), expected.at(name));
  }
  EXPECT_EQ(text::pre_rules().size(), expected.size());
}

// Names of one rule are tried by all: aliases give the rule of their first name, and no name stands twice.
TEST(GgufPreRules, NamesAreUnique) {
  std::set<std::string_view> seen;
  for (const auto& rule : text::pre_rules()) {
    for (const auto name : rule.names) {
      EXPECT_TRUE(seen.insert(name).second) << name;
      EXPECT_EQ(&text::find_pre_rule(std::string(name)), &rule);
    }
  }
  for (const char* name :
       {"deepseek-r1-qwen", "refact", "llama4", "gpt-4o", "tekken", "olmo", "smaug-bpe", "llama3", "llama-v3", "qwen35", "falcon3"})
    EXPECT_TRUE(seen.contains(name)) << name;
}

// Hand cases: what else comes with a name.
TEST(GgufPreRules, BringTheRestOfTheTokenizer) {
  for (const char* name : {"llama-bpe", "tekken"}) {
    const Json json = tokenizer_json(name);
    EXPECT_EQ(json.at("model").at("ignore_merges"), true) << name;
    EXPECT_EQ(json.at("post_processor").at("single").at(0).at("SpecialToken").at("id"), "<s>") << name;
  }
  const Json bare = tokenizer_json("smaug-bpe");
  EXPECT_EQ(bare.at("model").at("ignore_merges"), false);
  EXPECT_TRUE(bare.at("post_processor").is_null());
  EXPECT_TRUE(bare.at("normalizer").is_null());
  EXPECT_EQ(tokenizer_json("deepseek-r1-qwen").at("normalizer").at("type"), "NFC");
}

TEST(GgufPreRules, RefuseByName) {
  GRPO_EXPECT_ERROR(text::find_pre_rule("kimi-k2"), "got kimi-k2, which is not");
  GRPO_EXPECT_ERROR(text::find_pre_rule("gemma4"), "got gemma4, which is not");
  GRPO_EXPECT_ERROR(text::find_pre_rule("lama-bpe"), "did you mean 'llama-bpe'?");
}

}  // namespace
}  // namespace grpo
