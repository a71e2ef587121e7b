// Oracle: hand-computed values, by the rules of the reference implementation.
#include <gtest/gtest.h>

#include "io/temp_folder.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::Json;
using testing::TinyTokenizer;

TinyTokenizer letters() { return TinyTokenizer({"a", "b", " ", "A"}); }

TEST(AddedTokens, AreFoundLeftmostAndLongest) {
  const auto tokenizer = letters().added(4, "<x>").added(5, "<x>y").added(6, "y<x>").load();
  EXPECT_EQ(tokenizer->encode("a<x>b"), (Ids{0, 4, 1}));
  EXPECT_EQ(tokenizer->encode("<x>y"), (Ids{5}));
  EXPECT_EQ(tokenizer->encode("y<x>y"), (Ids{6}));
  EXPECT_EQ(tokenizer->encode("<x><x>y"), (Ids{4, 5}));
  EXPECT_EQ(tokenizer->vocab_size(), 7);
  EXPECT_EQ(tokenizer->token_to_id("y<x>"), 6);
  EXPECT_EQ(tokenizer->id_to_token(5), "<x>y");
}

TEST(AddedTokens, SwallowWhiteSpace) {
  EXPECT_EQ(letters().added(4, "<x>", {{"lstrip", true}}).load()->encode("a  <x> b"), (Ids{0, 4, 2, 1}));
  EXPECT_EQ(letters().added(4, "<x>", {{"rstrip", true}}).load()->encode("a <x>\t\u3000b"), (Ids{0, 2, 4, 1}));
  // the space between belongs to the first token, which swallowed it
  EXPECT_EQ(letters().added(4, "<x>", {{"lstrip", true}, {"rstrip", true}}).load()->encode("<x> <x>"), (Ids{4, 4}));
}

TEST(AddedTokens, StandAloneWhereAsked) {
  const auto tokenizer = letters().added(4, "b", {{"single_word", true}}).load();
  EXPECT_EQ(tokenizer->encode("b a"), (Ids{1, 2, 0}));  // the vocabulary's own id for "b" counts
  const auto other = letters().added(4, "ab", {{"single_word", true}}).load();
  EXPECT_EQ(other->encode("ab a"), (Ids{4, 2, 0}));
  EXPECT_EQ(other->encode("aba"), (Ids{0, 1, 0}));
  EXPECT_EQ(other->encode("\u00e9ab"), (Ids{0, 1}));
}

TEST(AddedTokens, AreFoundInRawOrNormalizedText) {
  auto tiny = letters().with("normalizer", {{"type", "Lowercase"}});
  tiny.added(4, "<A>").added(5, "<B>", {{"normalized", true}});
  const auto tokenizer = tiny.load();
  EXPECT_EQ(tokenizer->encode("<A>A"), (Ids{4, 0}));
  EXPECT_EQ(tokenizer->encode("<a>"), (Ids{0}));
  EXPECT_EQ(tokenizer->encode("<b><B>"), (Ids{5, 5}));
}

TEST(AddedTokens, NormalizeEachStretchByItself) {
  const auto tokenizer = TinyTokenizer({"_", "a"}).with("normalizer", {{"type", "Prepend"}, {"prepend", "_"}}).added(2, "<x>").load();
  EXPECT_EQ(tokenizer->encode("a<x>a<x>"), (Ids{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(tokenizer->encode(""), Ids{});
}

TEST(AddedTokens, AreSkippedWhereSpecial) {
  const auto tokenizer = letters().added(4, "<s>", {{"special", true}}).added(5, "<x>").load();
  EXPECT_EQ(tokenizer->decode(Ids{4, 0, 5}), "<s>a<x>");
  EXPECT_EQ(tokenizer->decode(Ids{4, 0, 5}, true), "a<x>");
  EXPECT_TRUE(tokenizer->is_special(4));
  EXPECT_FALSE(tokenizer->is_special(5));
  EXPECT_FALSE(tokenizer->is_special(0));
}

// The reference decodes a token that is matched in normalized text as its normalized content, which no longer is the special text.
TEST(AddedTokens, AreShownNormalizedWhereMatchedSo) {
  const auto tokenizer = TinyTokenizer({"a"})
                             .with("normalizer", {{"type", "Prepend"}, {"prepend", "_"}})
                             .added(1, "is", {{"normalized", true}, {"special", true}})
                             .load();
  EXPECT_EQ(tokenizer->decode(Ids{0, 1}), "a_is");
  EXPECT_EQ(tokenizer->decode(Ids{0, 1}, true), "a_is");
  EXPECT_EQ(tokenizer->id_to_token(1), "is");
}

TEST(AddedTokens, RefuseAnIdTwice) { GRPO_EXPECT_ERROR(letters().added(4, "x").added(4, "y").load(), "twice"); }

}  // namespace
}  // namespace grpo
