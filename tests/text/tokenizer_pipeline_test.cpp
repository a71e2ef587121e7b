// Oracle: hand-computed values of each component of tokenizer.json; the reference implementation gives the same.
#include <gtest/gtest.h>

#include "io/temp_folder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::Json;
using testing::TinyTokenizer;
using Texts = std::vector<std::string>;

std::string normalize(const Json& json, std::string_view text) { return text::parse_normalizer(json)(text); }

Texts cut(const Json& json, const std::string& text) {
  std::vector<text::Piece> pieces{{text, true}};
  text::parse_pre_tokenizer(json)(pieces);
  Texts out;
  for (const auto& piece : pieces) out.push_back(piece.text);
  return out;
}

Json split(const Json& pattern, const char* behavior, bool invert = false) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}};
}

TEST(Normalizer, ComposesAndDecomposes) {
  EXPECT_EQ(normalize({{"type", "NFC"}}, "e\u0301"), "\u00e9");
  EXPECT_EQ(normalize({{"type", "NFD"}}, "\u00e9"), "e\u0301");
  EXPECT_EQ(normalize({{"type", "NFKC"}}, "\ufb01\u00b2"), "fi2");
  EXPECT_EQ(normalize({{"type", "NFC"}}, std::string("\0\u1100\u1161", 7)), std::string("\0\uac00", 4));  // Hangul, behind a NUL
}

TEST(Normalizer, RewritesText) {
  EXPECT_EQ(normalize({{"type", "Lowercase"}}, "A\u00c9\u0130"), "a\u00e9i\u0307");
  EXPECT_EQ(normalize({{"type", "Prepend"}, {"prepend", "_"}}, "a"), "_a");
  EXPECT_EQ(normalize({{"type", "Prepend"}, {"prepend", "_"}}, ""), "");
  EXPECT_EQ(normalize({{"type", "Replace"}, {"pattern", {{"String", "."}}}, {"content", "!"}}, "a.b."), "a!b!");
  EXPECT_EQ(normalize({{"type", "Replace"}, {"pattern", {{"Regex", "[0-9]+"}}}, {"content", "#"}}, "a12b3"), "a#b#");
  EXPECT_EQ(normalize({{"type", "Strip"}, {"strip_left", true}, {"strip_right", false}}, " \u3000a "), "a ");
  const Json parts = Json::array({Json{{"type", "Lowercase"}}, Json{{"type", "Prepend"}, {"prepend", "A"}}});
  EXPECT_EQ(normalize({{"type", "Sequence"}, {"normalizers", parts}}, "B"), "Ab");
}

TEST(PreTokenizer, SplitsInEveryBehavior) {
  const Json dash{{"String", "-"}};
  const std::string text = "a--b-c";
  EXPECT_EQ(cut(split(dash, "Removed"), text), (Texts{"a", "b", "c"}));
  EXPECT_EQ(cut(split(dash, "Isolated"), text), (Texts{"a", "-", "-", "b", "-", "c"}));
  EXPECT_EQ(cut(split(dash, "MergedWithPrevious"), text), (Texts{"a-", "-", "b-", "c"}));
  EXPECT_EQ(cut(split(dash, "MergedWithNext"), text), (Texts{"a", "-", "-b", "-c"}));
  EXPECT_EQ(cut(split(dash, "Contiguous"), text), (Texts{"a", "--", "b", "-", "c"}));
  EXPECT_EQ(cut(split({{"Regex", "[a-z]"}}, "Removed", true), text), (Texts{"a", "b", "c"}));
}

TEST(PreTokenizer, CutsDigitsPunctuationAndSpace) {
  EXPECT_EQ(cut({{"type", "Digits"}, {"individual_digits", true}}, "a12\u00bd"), (Texts{"a", "1", "2", "\u00bd"}));
  EXPECT_EQ(cut({{"type", "Digits"}, {"individual_digits", false}}, "a12b"), (Texts{"a", "12", "b"}));
  EXPECT_EQ(cut({{"type", "Punctuation"}, {"behavior", "Isolated"}}, "a,b$"), (Texts{"a", ",", "b", "$"}));
  EXPECT_EQ(cut({{"type", "WhitespaceSplit"}}, " a, b\u3000c"), (Texts{"a,", "b", "c"}));
  EXPECT_EQ(cut({{"type", "Whitespace"}}, "a_b, c"), (Texts{"a_b", ",", "c"}));
}

TEST(PreTokenizer, CutsAsGpt2AndSpellsBytes) {
  const Json plain{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  EXPECT_EQ(cut(plain, "don't  go 12\u00e9!"), (Texts{"don", "'t", "Ġ", "Ġgo", "Ġ12", "Ã©", "!"}));
  EXPECT_EQ(cut({{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", false}}, "a b\n"), (Texts{"ĠaĠbĊ"}));
}

TEST(PreTokenizer, MarksSpacesAsMetaspace) {
  const auto metaspace = [](const char* scheme, bool cuts) {
    return Json{{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", cuts}};
  };
  EXPECT_EQ(cut(metaspace("always", true), "a b"), (Texts{"▁a", "▁b"}));
  EXPECT_EQ(cut(metaspace("never", true), "a b"), (Texts{"a", "▁b"}));
  EXPECT_EQ(cut(metaspace("first", false), " a b"), (Texts{"▁a▁b"}));
  const Json after_split = Json::array({split({{"String", "-"}}, "Removed"), metaspace("first", false)});
  EXPECT_EQ(cut({{"type", "Sequence"}, {"pretokenizers", after_split}}, "a-b"), (Texts{"▁a", "b"}));
}

// Oniguruma's meaning, where PCRE2's differs.
TEST(PreTokenizer, ReadsRegexesAsTheReferenceDoes) {
  const auto matches = [](const char* regex, const std::string& text) {
    return cut(split({{"Regex", regex}}, "Removed", true), text) == Texts{text};
  };
  EXPECT_FALSE(matches("\\s", "\u180e"));       // not white space since Unicode 6.3
  EXPECT_TRUE(matches("\\w", "\u0301"));        // marks are word characters
  EXPECT_TRUE(matches("[\\h]", "f"));           // a hexadecimal digit
  EXPECT_FALSE(matches("\\p{Han}", "\u3001"));  // by Script, not Script_Extensions
  EXPECT_TRUE(matches("[^\\S\\n]", "\t"));
  EXPECT_TRUE(matches("\\p{L}", "\U00031350"));  // assigned by Unicode 15
  EXPECT_TRUE(matches("(?i:'s)", "'\u017f"));
  EXPECT_TRUE(matches("\\u4e00", "\u4e00"));
  GRPO_EXPECT_ERROR(cut(split({{"Regex", "[a&&[b]]"}}, "Removed"), ""), "nested sets");
  GRPO_EXPECT_ERROR(cut(split({{"Regex", "(a"}}, "Removed"), ""), "(a");
  GRPO_EXPECT_ERROR(cut(split({{"Regex", "(a+)+$"}}, "Removed"), std::string(40, 'a') + "b"), "limit");
}

TEST(PostProcessor, AddsSpecialTokens) {
  const Json special{{"S", {{"id", "S"}, {"ids", Json::array({1, 2})}, {"tokens", Json::array({"x", "y"})}}}};
  const Json parts =
      Json::array({Json{{"SpecialToken", {{"id", "S"}, {"type_id", 0}}}}, Json{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}});
  const Json with_template{{"type", "TemplateProcessing"}, {"single", parts}, {"special_tokens", special}};
  TinyTokenizer tiny({"a", "<s>", "</s>"});
  EXPECT_EQ(tiny.with("post_processor", with_template).load()->encode("a"), (Ids{1, 2, 0}));
  EXPECT_EQ(tiny.load()->encode("a", false), (Ids{0}));
  const Json roberta{{"type", "RobertaProcessing"}, {"cls", Json::array({"<s>", 1})}, {"sep", Json::array({"</s>", 2})}};
  EXPECT_EQ(tiny.with("post_processor", roberta).load()->encode("a"), (Ids{1, 0, 2}));
  const Json sequence{{"type", "Sequence"}, {"processors", Json::array({roberta, with_template, Json{{"type", "ByteLevel"}}})}};
  EXPECT_EQ(tiny.with("post_processor", sequence).load()->encode("a"), (Ids{1, 2, 1, 0, 2}));
  tiny.with("post_processor", {{"type", "RobertaProcessing"}, {"cls", Json::array({"<s>", 9})}, {"sep", Json::array({"</s>", 2})}});
  GRPO_EXPECT_ERROR(tiny.load(), "9");
}

TEST(TokenizerJson, NamesWhatIsNotSupported) {
  const TinyTokenizer tiny({"a"});
  for (const char* part : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    GRPO_EXPECT_ERROR(TinyTokenizer(tiny).with(part, {{"type", "Novel"}}).load(), "Novel");
    GRPO_EXPECT_ERROR(TinyTokenizer(tiny).with(part, {{"kind", "Novel"}}).load(), "\"type\"");
    GRPO_EXPECT_ERROR(TinyTokenizer(tiny).with(part, 3).load(), part);
  }
}

TEST(TokenizerJson, RefusesEndlessNesting) {
  Json nested{{"type", "NFC"}};
  for (int i = 0; i < 40; ++i) nested = {{"type", "Sequence"}, {"normalizers", Json::array({nested})}};
  GRPO_EXPECT_ERROR(TinyTokenizer({"a"}).with("normalizer", nested).load(), "32");
}

// Each step doubles the text; unchecked, this would take terabytes.
TEST(TokenizerJson, RefusesChainsThatMultiplyText) {
  const Json doubling{{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  const Json repeated = Json::array_t(40, doubling);
  const TinyTokenizer tiny({"a"});
  GRPO_EXPECT_ERROR(TinyTokenizer(tiny).with("normalizer", {{"type", "Sequence"}, {"normalizers", repeated}}).load()->encode("a"),
                    "multiplies");
  GRPO_EXPECT_ERROR(TinyTokenizer(tiny).with("decoder", {{"type", "Sequence"}, {"decoders", repeated}}).load()->decode(Ids{0}), "4 MiB");
  const Json bytes{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const Json spelled{{"type", "Sequence"}, {"pretokenizers", Json::array_t(40, bytes)}};
  GRPO_EXPECT_ERROR(TinyTokenizer(tiny).with("pre_tokenizer", spelled).load()->encode("\u00e9"), "multiplies");
}

TEST(TokenizerJson, RefusesIllFormedTextAndIds) {
  const auto tokenizer = TinyTokenizer({"a"}).load();
  GRPO_EXPECT_ERROR(tokenizer->encode("\xC3"), "UTF-8");
  GRPO_EXPECT_ERROR(tokenizer->decode(Ids{1}), "[0, 1)");
  GRPO_EXPECT_ERROR(tokenizer->decode(Ids{-1}), "-1");
  GRPO_EXPECT_ERROR(tokenizer->id_to_token(1), "[0, 1)");
  GRPO_EXPECT_ERROR(text::tokenizer_from_files({{"tokenizer.json", "{\"model\": "}}), "JSON");
  GRPO_EXPECT_ERROR(text::tokenizer_from_files({{"tokenizer.json", "[]"}}), "object");
}

}  // namespace
}  // namespace grpo
