// Oracle: llama.cpp's rules for what ends a generation (src/llama-vocab.cpp), by hand.
#include "io/gguf_end_tokens.h"

#include <gtest/gtest.h>

#include "io/gguf_bytes.h"

namespace grpo {
namespace {

using Ids = std::vector<int64_t>;
using testing::GgufBytes;

Ids ends_of(const std::vector<std::string>& tokens, const std::vector<std::pair<std::string, uint32_t>>& keys = {}) {
  GgufBytes file;
  file.header(0, keys.size() + 1);
  for (const auto& [key, id] : keys) file.pair<uint32_t>("tokenizer.ggml." + key, 4, id);
  file.key("tokenizer.ggml.tokens", 9).raw<uint32_t>(8).raw<uint64_t>(tokens.size());
  for (const auto& token : tokens) file.string(token);
  const std::string bytes = file.str();
  return gguf_end_tokens(parse_gguf(std::as_bytes(std::span(bytes))));
}

TEST(GgufEndTokens, AreNamedByKeysOrKnownByTheirText) {
  EXPECT_EQ(ends_of({"a", "b", "c"}), Ids());
  EXPECT_EQ(ends_of({"a", "b", "c"}, {{"eos_token_id", 2}, {"eot_token_id", 0}, {"eom_token_id", 1}}), (Ids{2, 0, 1}));
  EXPECT_EQ(ends_of({"<|eot_id|>", "a", "</s>"}, {{"eos_token_id", 2}, {"eot_token_id", 2}}), (Ids{2, 0}));
  EXPECT_EQ(ends_of({"<|im_start|>", "<|im_end|>", "im_end", "<|endoftext|>"}), (Ids{1, 3}));
}

TEST(GgufEndTokens, KnowWhatOnlyEndsAMessage) {
  EXPECT_EQ(ends_of({"<|end|>", "<|call|>"}), (Ids{0, 1}));
  EXPECT_EQ(ends_of({"<|end|>", "<|call|>", "<|return|>"}), (Ids{1, 2}));
  EXPECT_EQ(ends_of({"<|calls|>", "<|flush|>", "<|end|>"}), (Ids{0, 1}));
  EXPECT_EQ(ends_of({"</s>", "<|tool_response>"}), (Ids{1}));
}

TEST(GgufEndTokens, NeedNoVocabulary) {
  const std::string bytes = GgufBytes().header(0, 1).pair<int32_t>("tokenizer.ggml.eos_token_id", 5, -1).str();
  EXPECT_EQ(gguf_end_tokens(parse_gguf(std::as_bytes(std::span(bytes)))), Ids());
}

}  // namespace
}  // namespace grpo
