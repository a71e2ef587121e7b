// Oracle: hand-computed texts; for the stream, decode() of all ids.
#include <gtest/gtest.h>

#include <random>

#include "core/utf8.h"
#include "io/temp_folder.h"
#include "text/byte_level.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::joined;
using testing::Json;
using testing::stream_pieces;
using testing::TinyTokenizer;
using Pieces = std::vector<std::string>;

Json sequence(std::initializer_list<Json> parts) { return {{"type", "Sequence"}, {"decoders", Json(Json::array_t(parts))}}; }

const Json kByteFallback{{"type", "ByteFallback"}}, kFuse{{"type", "Fuse"}}, kByteLevel{{"type", "ByteLevel"}};
const Json kSpaces{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}};

/// All 256 bytes in GPT-2's alphabet, id = byte.
TinyTokenizer all_bytes() {
  std::vector<std::string> vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary.push_back(text::bytes_to_alphabet(std::string(1, static_cast<char>(byte))));
  return TinyTokenizer(vocabulary)
      .with("decoder", kByteLevel)
      .with("pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}});
}

TEST(ByteLevel, SpellsBytesAsGpt2Does) {
  EXPECT_EQ(text::bytes_to_alphabet(std::string("\0 \n!\x7f\xa0\xad\xff", 8)), "ĀĠĊ!ġłŃÿ");
  EXPECT_EQ(text::alphabet_to_bytes("Ġa"), " a");
  EXPECT_EQ(text::alphabet_to_bytes("▁"), std::nullopt);
}

TEST(Decoder, ReplacesEachMaximalIllFormedSubpart) {
  const auto tokenizer = all_bytes().load();
  EXPECT_EQ(tokenizer->decode(Ids{0xF0, 0x9F, 0x98}), "\uFFFD");
  EXPECT_EQ(tokenizer->decode(Ids{0xED, 0xA0, 0x80}), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer->decode(Ids{0xE2, 0x82, 0x41}), "\uFFFDA");
  EXPECT_EQ(tokenizer->decode(Ids{0xC0, 0x80}), "\uFFFD\uFFFD");
}

TEST(Decoder, KeepsTokensThatAreNoBytesAsTheyAre) {
  EXPECT_EQ(all_bytes().added(256, "<a b>").load()->decode(Ids{65, 256, 66}), "A<a b>B");
}

TEST(Decoder, HoldsBackIncompleteCharacters) {
  const auto tokenizer = all_bytes().load();
  EXPECT_EQ(stream_pieces(*tokenizer, {0x41, 0xE2, 0x82, 0xAC, 0xE2}), (Pieces{"A", "", "", "€", "", "\uFFFD"}));
}

TEST(Decoder, TurnsARunOfBytesIntoTextOnlyWhereAllOfItIsValid) {
  const auto tokenizer = TinyTokenizer({"<0xE4>", "<0xBD>", "<0xA0>", "x"}).with("decoder", sequence({kByteFallback, kFuse})).load();
  EXPECT_EQ(tokenizer->decode(Ids{0, 1, 2, 3}), "\u4f60x");
  EXPECT_EQ(tokenizer->decode(Ids{0, 1, 2, 0, 3}), "\uFFFD\uFFFD\uFFFD\uFFFDx");
  EXPECT_EQ(stream_pieces(*tokenizer, {3, 0, 1, 2, 3}), (Pieces{"x", "", "", "", "\u4f60x", ""}));
}

TEST(Decoder, StripsTheStartAndTheEnd) {
  const Json strip{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 2}};
  const auto tokenizer = TinyTokenizer({"▁▁a", "▁", "b"}).with("decoder", sequence({kSpaces, kFuse, strip})).load();
  EXPECT_EQ(tokenizer->decode(Ids{0, 1, 2, 1, 1, 1}), " a b ");
  EXPECT_EQ(stream_pieces(*tokenizer, {0, 1, 2, 1, 1, 1}), (Pieces{" a", "", " b", "", "", " ", ""}));
  const auto each = TinyTokenizer({"▁▁a", "▁", "b"}).with("decoder", sequence({kSpaces, strip})).load();
  EXPECT_EQ(each->decode(Ids{0, 0, 2}), " a ab");
}

TEST(Decoder, ReadsMetaspace) {
  auto tiny = TinyTokenizer({"▁a", "▁b"}).with("decoder", {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}});
  EXPECT_EQ(tiny.load()->decode(Ids{0, 1}), "a b");
  tiny.with("decoder", {{"type", "Metaspace"}, {"replacement", "▁"}, {"add_prefix_space", false}});
  EXPECT_EQ(tiny.load()->decode(Ids{0, 1}), " a b");
}

TEST(Decoder, JoinsTokensBySpacesWhereThereIsNone) {
  EXPECT_EQ(TinyTokenizer({"a", "b"}).with("decoder", nullptr).load()->decode(Ids{0, 1, 0}), "a b a");
}

std::string random_text(std::mt19937& random) {
  std::string out;
  const int length = static_cast<int>(random() % 12);
  for (int i = 0; i < length; ++i) {
    constexpr char32_t kEnds[] = {0x80, 0x800, 0xD800, 0x10000};  // lengths 1 to 4, no surrogates
    const size_t kind = random() % 4;
    const char32_t begin = kind == 0 ? 0 : kEnds[kind - 1];
    const char32_t first = kind == 3 ? 0x10000 : begin, last = kind == 3 ? 0x110000 : kEnds[kind];
    append_utf8(out, first + static_cast<char32_t>(random()) % (last - first));
  }
  return out;
}

TEST(TokenizerProperty, ByteLevelDecodeInvertsEncode) {
  const auto tokenizer = all_bytes().load();
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(TokenizerProperty, StreamEqualsDecodeForAnyIds) {
  const Json strip{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 1}};
  const std::vector<std::shared_ptr<const Tokenizer>> tokenizers{
      all_bytes().added(256, "<s>", {{"special", true}}).load(),
      TinyTokenizer({"<0xE4>", "<0xBD>", "<0xA0>", "▁", "▁a", "▁▁", "b"})
          .added(7, "<s>", {{"special", true}})
          .with("decoder", sequence({kSpaces, kByteFallback, kFuse, strip}))
          .load(),
      TinyTokenizer({"▁", "▁a", "b"}).with("decoder", {{"type", "Metaspace"}, {"replacement", "▁"}}).load(),
      TinyTokenizer({"a", "b"}).with("decoder", nullptr).load()};
  std::mt19937 random(2);
  for (const auto& tokenizer : tokenizers) {
    for (int i = 0; i < 1000; ++i) {
      Ids ids(random() % 12);
      for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint32_t>(tokenizer->vocab_size()));
      for (const bool skip : {false, true}) EXPECT_EQ(joined(stream_pieces(*tokenizer, ids, skip)), tokenizer->decode(ids, skip));
    }
  }
}

/// A tokenizer that only defines decode(): ids are bytes.
class BytesOnly final : public Tokenizer {
 public:
  Ids encode(std::string_view, bool) const override { return {}; }
  std::string decode(std::span<const int32_t> ids, bool) const override {
    std::string bytes(ids.begin(), ids.end());
    return take_lossy_utf8(bytes, true);
  }
  int64_t vocab_size() const override { return 256; }
  std::string id_to_token(int32_t) const override { return {}; }
  std::optional<int32_t> token_to_id(std::string_view) const override { return {}; }
  bool is_special(int32_t) const override { return false; }
};

TEST(StreamDecoder, WorksForTokenizersThatOnlyDefineDecode) {
  EXPECT_EQ(stream_pieces(BytesOnly(), {0x41, 0xE2, 0x82, 0xAC, 0xE2}), (Pieces{"A", "", "", "€", "", "\uFFFD"}));
}

TEST(SaveTokenizer, RefusesATokenizerWithoutFiles) { GRPO_EXPECT_ERROR(save_tokenizer(BytesOnly(), "unused"), "loaded from files"); }

}  // namespace
}  // namespace grpo
