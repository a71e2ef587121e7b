// Oracle: hand-made GGUF metadata and hand-computed ids; for scores, the sentencepiece library on a real vocabulary.
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <set>

#include "io/temp_folder.h"
#include "support/parity.h"
#include "text/gguf_metadata.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::GgufMetadata;
using testing::Ids;
using testing::Json;
using Strings = std::vector<std::string>;

GgufMetadata byte_level(const std::string& pre) {
  GgufMetadata out("gpt2", {"<s>", "1", "2", "a", "Ġ", "12", "Ġa", "<x>", "[PAD8]"}, {3, 1, 1, 1, 1, 1, 1, 4, 5});
  return out.text("tokenizer.ggml.pre", pre).texts("tokenizer.ggml.merges", {"1 2", "Ġ a"});
}

TEST(GgufTokenizer, CutsByTheNamedRule) {
  EXPECT_EQ(byte_level("gpt-2").load()->encode("12 a"), (Ids{5, 6}));
  EXPECT_EQ(byte_level("smollm").load()->encode("12 a"), (Ids{1, 2, 6}));  // single digits
  EXPECT_EQ(byte_level("qwen2").load()->encode("12 a"), (Ids{1, 2, 6}));
  EXPECT_EQ(byte_level("llama-bpe").load()->encode("12 a"), (Ids{5, 6}));
  GRPO_EXPECT_ERROR(byte_level("novel").load(), "novel");
}

TEST(GgufTokenizer, KeepsSpecialTokensAndTheTemplate) {
  auto metadata = byte_level("smollm").id("bos_token_id", 0).id("eos_token_id", 7).flag("add_bos_token", true).flag("add_eos_token", true);
  const auto tokenizer = metadata.text("tokenizer.chat_template", "hello").load();
  EXPECT_EQ(tokenizer->encode("a"), (Ids{0, 3, 7}));
  EXPECT_EQ(tokenizer->encode("<x>a<s>", false), (Ids{7, 3, 0}));
  EXPECT_EQ(tokenizer->decode(Ids{0, 3, 7}, true), "a<x>");  // user-defined tokens are not special
  EXPECT_EQ(tokenizer->bos_id(), 0);
  EXPECT_EQ(tokenizer->eos_id(), 7);
  EXPECT_EQ(tokenizer->pad_id(), std::nullopt);
  EXPECT_EQ(tokenizer->chat_template(), "hello");
  EXPECT_EQ(tokenizer->vocab_size(), 8);  // without the padding token
}

// llama.cpp's rule: a token that is known to end turns is found whole in a prompt, however the file types it; other words are not.
TEST(GgufTokenizer, TakesEndTokensForControlTokens) {
  GgufMetadata words("gpt2", {"<", "|", "im", "i", "m", "_", "e", "n", "d", "a", ">", "<|im_end|>", "<|im_and|>", "</s>"},
                     {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4});
  words.text("tokenizer.ggml.pre", "gpt-2").texts("tokenizer.ggml.merges", {"i m"});
  const auto tokenizer = words.load();
  EXPECT_EQ(tokenizer->encode("<|im_end|></s>"), (Ids{11, 13}));
  EXPECT_EQ(tokenizer->decode(Ids{11, 2, 13}, true), "im");
  EXPECT_EQ(tokenizer->encode("<|im_and|>"), (Ids{0, 1, 2, 5, 9, 7, 8, 1, 10}));
}

TEST(GgufTokenizer, BuildsFilesThatLoadTheSame) {
  const auto tokenizer = byte_level("qwen2").id("eos_token_id", 0).id("padding_token_id", 0).load();
  const auto again = text::tokenizer_from_files(tokenizer->files());
  EXPECT_EQ(again->encode("12 a<x>"), tokenizer->encode("12 a<x>"));
  EXPECT_EQ(again->pad_id(), 0);
  const Json json = Json::parse(tokenizer->files().at("tokenizer.json"));
  EXPECT_EQ(json.at("normalizer").at("type"), "NFC");
  EXPECT_EQ(json.at("model").at("merges"), Json::parse(R"([["1", "2"], ["Ġ", "a"]])"));
  EXPECT_TRUE(json.at("post_processor").is_null());
  EXPECT_EQ(Json::parse(tokenizer->files().at("tokenizer_config.json")).at("eos_token"), "<s>");
}

GgufMetadata scored() {
  GgufMetadata out("llama", {"<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "▁", "a", "b", "▁a", "ab", "▁ab"},
                   {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1});
  out.scores({0, 0, 0, 0, 0, -9, -9, -9, -1, -2, -3});
  return out.id("unknown_token_id", 0).id("bos_token_id", 1).id("eos_token_id", 2);
}

TEST(GgufTokenizer, MergesByScore) {
  const auto tokenizer = scored().load();
  EXPECT_EQ(tokenizer->encode("ab a"), (Ids{1, 10, 8}));  // ▁a before ab, then ▁ab; BOS by default
  EXPECT_EQ(tokenizer->encode("é?", false), (Ids{5, 3, 4, 0}));
  EXPECT_EQ(tokenizer->decode(Ids{1, 10, 8, 3, 4}), "<s> ab aé");
  EXPECT_EQ(tokenizer->decode(Ids{10, 8}), "ab a");
  const auto bare = scored().flag("add_space_prefix", false).flag("add_bos_token", false).load();
  EXPECT_EQ(bare->encode("ab"), (Ids{9}));
  EXPECT_EQ(bare->decode(Ids{10}), " ab");
}

TEST(GgufTokenizer, RefusesLyingMetadata) {
  GRPO_EXPECT_ERROR(GgufMetadata("bert", {"a"}, {1}).load(), "bert");
  GRPO_EXPECT_ERROR(GgufMetadata("gpt2", {"a"}, {1}).text("tokenizer.ggml.pre", "gpt-2").load(), "merges");
  GRPO_EXPECT_ERROR(GgufMetadata("llama", {"a"}, {1}).load(), "scores or merges");
  GRPO_EXPECT_ERROR(GgufMetadata("gpt2", {"a", "b"}, {1}).load(), "token_type");
  GRPO_EXPECT_ERROR(GgufMetadata("gpt2", {"a", "a"}, {1, 1}).load(), "distinct");
  GRPO_EXPECT_ERROR(GgufMetadata("gpt2", {"\xFF"}, {1}).load(), "UTF-8");
  GRPO_EXPECT_ERROR(byte_level("gpt-2").id("bos_token_id", 99).load(), "99");
}

/// A llama GGUF made of a sentencepiece model's pieces.
GgufMetadata from_sentencepiece(const sentencepiece::SentencePieceProcessor& model) {
  Strings tokens;
  std::vector<int32_t> types;
  std::vector<float> scores;
  for (int id = 0; id < model.GetPieceSize(); ++id) {
    tokens.push_back(model.IdToPiece(id));
    types.push_back(model.IsUnknown(id) ? 2 : model.IsControl(id) ? 3 : model.IsByte(id) ? 6 : 1);
    scores.push_back(model.GetScore(id));
  }
  GgufMetadata out("llama", tokens, types);
  out.scores(scores);
  return out.id("unknown_token_id", static_cast<uint32_t>(model.unk_id())).id("bos_token_id", static_cast<uint32_t>(model.bos_id()));
}

TEST(ParityGgufTokenizer, MergesOfScoresGiveSentencepiecesIds) {
  const auto folder = testing::parity_dir() / "tokenizers";
  GRPO_REQUIRE_DATA(folder);
  size_t checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    const Json golden = testing::read_json(entry.path());
    const std::filesystem::path source = testing::data_dir() / golden.at("meta").at("source").get<std::string>();
    if (source.extension() != ".model") continue;
    SCOPED_TRACE(entry.path().filename());
    sentencepiece::SentencePieceProcessor model;
    ASSERT_TRUE(model.Load(source.string()).ok());
    const auto tokenizer = from_sentencepiece(model).load();
    for (const Json& row : golden.at("cases")) {
      const std::string text = row.at("text");
      // the folder's file looks for special tokens in the text, sentencepiece does not; of no text it makes no space
      if (text.empty() || text.find("<s>") != text.npos || text.find("</s>") != text.npos || text.find("<unk>") != text.npos) continue;
      EXPECT_EQ(tokenizer->encode(text), row.at("ids_with_special").get<Ids>()) << row.at("id");
    }
    ++checked;
  }
  EXPECT_GT(checked, 0u) << "no sentencepiece model among the goldens of " << folder;
}

}  // namespace
}  // namespace grpo
