// Oracle: hand-made files.
#include <gtest/gtest.h>

#include "io/temp_folder.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::Json;
using testing::TinyTokenizer;
using TokenizerFilesTest = testing::TempFolder;

TinyTokenizer with_specials() {
  return TinyTokenizer({"a", "b"})
      .added(2, "<s>", {{"special", true}})
      .added(3, "</s>", {{"special", true}})
      .added(4, "<pad>", {{"special", true}});
}

TEST_F(TokenizerFilesTest, ReadsSpecialTokensFromTheConfig) {
  const Json config{{"bos_token", {{"content", "<s>"}, {"special", true}}}, {"eos_token", "</s>"}, {"pad_token", nullptr}};
  const auto tokenizer = with_specials().load({{"tokenizer_config.json", config.dump()}});
  EXPECT_EQ(tokenizer->bos_id(), 2);
  EXPECT_EQ(tokenizer->eos_id(), 3);
  EXPECT_EQ(tokenizer->pad_id(), std::nullopt);
}

TEST_F(TokenizerFilesTest, ReadsMissingSpecialTokensFromTheMap) {
  const Json map{{"bos_token", "b"}, {"eos_token", {{"content", "</s>"}}}, {"pad_token", "<pad>"}};
  const auto tokenizer =
      with_specials().load({{"tokenizer_config.json", R"({"bos_token": "<s>"})"}, {"special_tokens_map.json", map.dump()}});
  EXPECT_EQ(tokenizer->bos_id(), 2);
  EXPECT_EQ(tokenizer->eos_id(), 3);
  EXPECT_EQ(tokenizer->pad_id(), 4);
}

TEST_F(TokenizerFilesTest, ReadsTheChatTemplate) {
  const auto of = [](text::TokenizerFiles files) { return with_specials().load(std::move(files))->chat_template(); };
  EXPECT_EQ(of({}), "");
  EXPECT_EQ(of({{"tokenizer_config.json", R"({"chat_template": "one"})"}}), "one");
  const char* named = R"({"chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]})";
  EXPECT_EQ(of({{"tokenizer_config.json", named}}), "d");
  EXPECT_EQ(of({{"tokenizer_config.json", named}, {"chat_template.jinja", "file"}}), "file");
  GRPO_EXPECT_ERROR(of({{"tokenizer_config.json", R"({"chat_template": 1})"}}), "chat_template");
}

TEST_F(TokenizerFilesTest, LoadsAFolderAndAFile) {
  const auto path = write("tokenizer.json", with_specials().json.dump());
  write("tokenizer_config.json", R"({"eos_token": "</s>"})");
  write("chat_template.jinja", "hello");
  for (const auto& source : {folder_, path}) {
    const auto tokenizer = load_tokenizer(source);
    EXPECT_EQ(tokenizer->encode("ab</s>"), (Ids{0, 1, 3}));
    EXPECT_EQ(tokenizer->eos_id(), 3);
    EXPECT_EQ(tokenizer->chat_template(), "hello");
  }
}

TEST_F(TokenizerFilesTest, SavesTheBytesThatWereLoaded) {
  write("tokenizer.json", with_specials().json.dump(3));
  write("tokenizer_config.json", R"({"eos_token":   "</s>"})");
  const auto tokenizer = load_tokenizer(folder_);
  save_tokenizer(*tokenizer, folder_ / "copy" / "deep");
  EXPECT_EQ(load_tokenizer(folder_ / "copy" / "deep")->files(), tokenizer->files());
  EXPECT_EQ(tokenizer->files().size(), 2u);
  save_tokenizer(*tokenizer, folder_);  // onto itself
  EXPECT_EQ(load_tokenizer(folder_)->files(), tokenizer->files());
}

TEST_F(TokenizerFilesTest, NamesThePathInErrors) {
  GRPO_EXPECT_ERROR(load_tokenizer(folder_ / "absent"), "absent");
  GRPO_EXPECT_ERROR(load_tokenizer(folder_), "tokenizer.json or tokenizer.model");
  GRPO_EXPECT_ERROR(load_tokenizer(write("tokenizer.txt", "")), "tokenizer.txt");
  GRPO_EXPECT_ERROR(load_tokenizer(write("broken.json", "{")), "broken.json");
  GRPO_EXPECT_ERROR(load_tokenizer(write("broken.model", "no model")), "sentencepiece");
  GRPO_EXPECT_ERROR(load_tokenizer(write("broken.gguf", "no gguf")), "broken.gguf");
}

}  // namespace
}  // namespace grpo
