// Tokens that tokenizer_config.json brings. Oracle: transformers 5.14's AutoTokenizer on such files, and by hand.
#include <gtest/gtest.h>

#include "io/temp_folder.h"
#include "support/parity.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::Json;
using testing::TinyTokenizer;

/// a, b, space and x of a tokenizer.json with one added token, and a config.
std::shared_ptr<const Tokenizer> with_config(const Json& config) {
  return TinyTokenizer({"a", "b", " ", "x"}).added(4, "</s>", {{"special", true}}).load({{"tokenizer_config.json", config.dump()}});
}

Json token(const std::string& content, const Json& flags = Json::object()) {
  Json entry{{"content", content}, {"lstrip", false}, {"rstrip", false}, {"normalized", false}, {"single_word", false}, {"special", false}};
  entry.update(flags);
  return entry;
}

TEST(ConfigTokens, FollowTheVocabularyInTheOrderOfTheirIds) {
  const auto tokenizer = with_config({{"added_tokens_decoder", {{"10", token("<t>")}, {"9", token("<u>", {{"special", true}})}}}});
  EXPECT_EQ(tokenizer->encode("a<t>b<u>"), (Ids{0, 6, 1, 5}));
  EXPECT_EQ(tokenizer->vocab_size(), 7);
  EXPECT_EQ(tokenizer->decode(Ids{0, 6, 5}, true), "a<t>");
  EXPECT_EQ(tokenizer->decode(Ids{0, 6, 5}, false), "a<t><u>");
}

TEST(ConfigTokens, FlagsOfTheConfigWin) {
  const auto tokenizer =
      with_config({{"added_tokens_decoder",
                    {{"4", token("</s>", {{"lstrip", true}})}, {"3", token("x", {{"special", true}, {"single_word", true}})}}}});
  EXPECT_EQ(tokenizer->encode("a  </s>b"), (Ids{0, 4, 1}));
  EXPECT_EQ(tokenizer->decode(Ids{0, 4}, true), "a</s>");
  EXPECT_EQ(tokenizer->encode("x ax"), (Ids{3, 2, 0, 3}));
  EXPECT_EQ(tokenizer->decode(Ids{0, 3}, true), "a");
  EXPECT_EQ(tokenizer->vocab_size(), 5);
}

TEST(ConfigTokens, NamedSpecialTokensAreAdded) {
  const auto tokenizer = with_config({{"eos_token", "<e>"},
                                      {"bos_token", {{"content", "<b>"}, {"lstrip", true}}},
                                      {"pad_token", "</s>"},
                                      {"unk_token", nullptr},
                                      {"additional_special_tokens", {"<y>", token("<z>")}}});
  EXPECT_EQ(tokenizer->bos_id(), 5);
  EXPECT_EQ(tokenizer->eos_id(), 6);
  EXPECT_EQ(tokenizer->pad_id(), 4);
  EXPECT_EQ(tokenizer->encode("a <b><e><y><z>"), (Ids{0, 5, 6, 7, 8}));
  EXPECT_EQ(tokenizer->decode(Ids{0, 5, 6, 7, 8}, true), "a");
  EXPECT_EQ(with_config({{"extra_special_tokens", {{"image_token", "<i>"}}}})->encode("<i>"), (Ids{5}));
  EXPECT_TRUE(with_config({{"eos_token", "<e>"}, {"added_tokens_decoder", {{"5", token("<e>")}}}})->is_special(5));
}

TEST(ConfigTokens, BadOnesAreNamed) {
  GRPO_EXPECT_ERROR(with_config({{"added_tokens_decoder", {{"x", token("<t>")}}}}), "got 'x'");
  GRPO_EXPECT_ERROR(with_config({{"added_tokens_decoder", {{"-1", token("<t>")}}}}), "got '-1'");
  GRPO_EXPECT_ERROR(with_config({{"added_tokens_decoder", {{"5", {{"special", true}}}}}}), "got none for 5");
  GRPO_EXPECT_ERROR(with_config({{"added_tokens_decoder", {{"5", token("<t>", {{"lstrip", 1}})}}}}), "lstrip");
}

// sentencepiece finds no tokens in a text by itself: those of the config cut it, and each part begins as a text does, unless legacy is off.
TEST(ConfigTokens, CutTextsForSentencepiece) {
  const auto path = testing::data_dir() / "tokenizers" / "llama2" / "tokenizer.model";
  GRPO_REQUIRE_DATA(path);
  const std::string model = testing::read_text(path);
  const auto load = [&](const Json& further) {
    Json config{
        {"eos_token", "<|im_end|>"},
        {"added_tokens_decoder", {{"2", token("</s>", {{"special", true}})}, {"32000", token("<|im_end|>")}, {"32001", token("<think>")}}}};
    config.update(further);
    return text::tokenizer_from_files({{"tokenizer.model", model}, {"tokenizer_config.json", config.dump()}});
  };
  const auto tokenizer = load(Json::object());
  EXPECT_EQ(tokenizer->encode("Hello<|im_end|>Hello</s>"), (Ids{1, 15043, 32000, 15043, 2}));
  EXPECT_EQ(tokenizer->eos_id(), 32000);
  EXPECT_EQ(tokenizer->vocab_size(), 32002);
  EXPECT_EQ(tokenizer->decode(Ids{15043, 32000, 15043, 2, 32001}, true), "Hello Hello<think>");
  EXPECT_EQ(tokenizer->decode(Ids{15043, 32000, 15043, 2}, false), "Hello<|im_end|> Hello</s>");
  EXPECT_EQ(tokenizer->id_to_token(32001), "<think>");
  const auto modern = load({{"legacy", false}});
  EXPECT_EQ(modern->encode("Hello<think>Hello", false), (Ids{15043, 32001, 10994}));
}

}  // namespace
}  // namespace grpo
