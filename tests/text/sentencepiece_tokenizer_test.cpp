// Oracle: the sentencepiece library's decoder for the stream; hand values for what is added.
#include <gtest/gtest.h>

#include <random>

#include "io/temp_folder.h"
#include "support/parity.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::joined;
using testing::read_text;
using testing::stream_pieces;

std::filesystem::path model_path() { return testing::data_dir() / "tokenizers" / "llama2" / "tokenizer.model"; }

TEST(SentencePiece, AddsWhatTheConfigSays) {
  GRPO_REQUIRE_DATA(model_path());
  const std::string model = read_text(model_path());
  const auto plain = text::tokenizer_from_files({{"tokenizer.model", model}});
  EXPECT_EQ(plain->encode("Hello"), (Ids{1, 15043}));
  const char* config = R"({"add_bos_token": false, "add_eos_token": true, "pad_token": "<unk>"})";
  const auto configured = text::tokenizer_from_files({{"tokenizer.model", model}, {"tokenizer_config.json", config}});
  EXPECT_EQ(configured->encode("Hello"), (Ids{15043, 2}));
  EXPECT_EQ(configured->encode("Hello", false), (Ids{15043}));
  EXPECT_EQ(configured->bos_id(), 1);
  EXPECT_EQ(configured->pad_id(), 0);
}

TEST(SentencePiece, KnowsItsPieces) {
  GRPO_REQUIRE_DATA(model_path());
  const auto tokenizer = load_tokenizer(model_path());
  EXPECT_EQ(tokenizer->id_to_token(15043), "▁Hello");
  EXPECT_EQ(tokenizer->token_to_id("▁Hello"), 15043);
  EXPECT_EQ(tokenizer->token_to_id("no such piece"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_special(1));
  EXPECT_FALSE(tokenizer->is_special(15043));
  GRPO_EXPECT_ERROR(tokenizer->decode(Ids{32000}), "32000");
  GRPO_EXPECT_ERROR(tokenizer->id_to_token(-1), "-1");
}

TEST(SentencePiece, StreamEqualsTheLibrary) {
  GRPO_REQUIRE_DATA(model_path());
  const auto tokenizer = load_tokenizer(model_path());
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    Ids ids(random() % 10);
    for (int32_t& id : ids) {
      const uint32_t kind = random() % 4;  // few ids: control, unknown, bytes; runs of spaces; anything
      id = static_cast<int32_t>(kind == 0 ? random() % 3 : kind == 1 ? 3 + random() % 256 : kind == 2 ? 29871 : random() % 32000);
    }
    EXPECT_EQ(joined(stream_pieces(*tokenizer, ids)), tokenizer->decode(ids));
  }
}

}  // namespace
}  // namespace grpo
