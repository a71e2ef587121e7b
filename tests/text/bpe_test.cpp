// Oracle: hand-computed merges.
#include <gtest/gtest.h>

#include <chrono>

#include "io/temp_folder.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::Json;
using testing::TinyTokenizer;

TinyTokenizer abc() { return TinyTokenizer({"a", "b", "c", "ab", "bc", "abc", "aa"}, {{"b", "c"}, {"a", "b"}, {"a", "bc"}, {"a", "a"}}); }

TEST(Bpe, MergesTheLowestRankFirst) {
  EXPECT_EQ(abc().load()->encode("abc"), (Ids{5}));       // b+c ranks before a+b; then a+bc
  EXPECT_EQ(abc().load()->encode("abab"), (Ids{3, 3}));   // a+b twice
  EXPECT_EQ(abc().load()->encode("abcab"), (Ids{5, 3}));  //
}

TEST(Bpe, MergesTheLeftmostOfEqualRank) { EXPECT_EQ(abc().load()->encode("aaa"), (Ids{6, 0})); }

TEST(Bpe, ReadsMergesAsStrings) {
  auto tiny = abc().model("merges", Json::array({"#version: 0.2", "b c", "a bc"}));
  EXPECT_EQ(tiny.load()->encode("abc"), (Ids{5}));
  tiny.model("merges", Json::array({"b c d"}));
  GRPO_EXPECT_ERROR(tiny.load(), "left right");
}

TEST(Bpe, DropsWhatIsNotInTheVocabularyWithoutAnUnknownToken) { EXPECT_EQ(abc().load()->encode("axbc"), (Ids{5})); }

TEST(Bpe, GivesUnknownTokens) {
  auto tiny = TinyTokenizer({"<unk>", "a"}).model("unk_token", "<unk>");
  EXPECT_EQ(tiny.load()->encode("xxa"), (Ids{0, 0, 1}));
  tiny.model("fuse_unk", true);
  EXPECT_EQ(tiny.load()->encode("xxaéx"), (Ids{0, 1, 0}));
  tiny.model("unk_token", "absent");
  GRPO_EXPECT_ERROR(tiny.load(), "absent");
}

TEST(Bpe, FallsBackToBytesWhereAllOfACharacterAreThere) {
  const auto tokenizer = TinyTokenizer({"<unk>", "<0xC3>", "<0xA9>", "a"}).model("unk_token", "<unk>").model("byte_fallback", true).load();
  EXPECT_EQ(tokenizer->encode("aé"), (Ids{3, 1, 2}));
  EXPECT_EQ(tokenizer->encode("aè"), (Ids{3, 0}));  // C3 A8: A8 is missing
}

TEST(Bpe, TakesAWholePieceBeforeMergesWhereAsked) {
  auto tiny = TinyTokenizer({"a", "b", "ab"});
  EXPECT_EQ(tiny.load()->encode("ab"), (Ids{0, 1}));
  EXPECT_EQ(tiny.model("ignore_merges", true).load()->encode("ab"), (Ids{2}));
}

TEST(Bpe, MarksContinuingAndLastCharacters) {
  auto tiny = TinyTokenizer({"a", "##b", "##c</w>", "a##b", "ab"}, {{"a", "##b"}});
  tiny.model("continuing_subword_prefix", "##").model("end_of_word_suffix", "</w>");
  EXPECT_EQ(tiny.load()->encode("abc"), (Ids{4, 2}));  // merged text: "a" + "b", the prefix dropped
}

TEST(Bpe, RefusesWhatItCannotRead) {
  GRPO_EXPECT_ERROR(abc().model("type", "Unigram").load(), "Unigram");
  GRPO_EXPECT_ERROR(abc().model("dropout", 0.1).load(), "dropout");
  GRPO_EXPECT_ERROR(abc().model("vocab", {{"a", 1}, {"b", 1}}).load(), "twice");
  GRPO_EXPECT_ERROR(abc().model("vocab", {{"a", 2000000000}}).load(), "gaps");
  GRPO_EXPECT_ERROR(abc().model("vocab", {{"a", -1}}).load(), "token id");
  GRPO_EXPECT_ERROR(abc().model("vocab", {{"a", 0.5}}).load(), "token id");
  GRPO_EXPECT_ERROR(abc().model("merges", Json::array({Json::array({"a", "z"})})).load(), "\"z\"");
}

// A quadratic merge would take minutes.
TEST(Bpe, EncodesAWordOfAHundredThousandCharactersQuickly) {
  const auto tokenizer = abc().load();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(tokenizer->encode(std::string(100000, 'a')).size(), 50000u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace grpo
