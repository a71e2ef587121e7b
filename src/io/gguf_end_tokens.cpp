#include "io/gguf_end_tokens.h"

#include <algorithm>
#include <array>

namespace grpo {
namespace {

constexpr std::array<std::string_view, 22> kEndTokens{"<|eot_id|>",
                                                      "<|im_end|>",
                                                      "<|end|>",
                                                      "<|return|>",
                                                      "<|call|>",
                                                      "<|flush|>",
                                                      "<|calls|>",
                                                      "<end_of_turn>",
                                                      "<|endoftext|>",
                                                      "</s>",
                                                      "<|eom_id|>",
                                                      "<EOT>",
                                                      "_<EOT>",
                                                      "[EOT]",
                                                      "[EOS]",
                                                      "<|end_of_text|>",
                                                      "<end_of_utterance>",
                                                      "<eos>",
                                                      "<turn|>",
                                                      "<|tool_response>",
                                                      "<｜end▁of▁sentence｜>",
                                                      "[e~["};

/// In formats of several channels <|end|> ends a message, not the turn; where tools answer within a turn, </s> is a mere word.
bool only_ends_a_message(std::string_view text, const std::vector<std::string>& tokens) {
  const auto has = [&tokens](std::string_view wanted) { return std::ranges::find(tokens, wanted) != tokens.end(); };
  if (text == "<|end|>") return (has("<|call|>") || has("<|calls|>")) && (has("<|return|>") || has("<|flush|>"));
  return text == "</s>" && has("<|tool_response>");
}

}  // namespace

bool is_end_token(std::string_view text) { return std::ranges::find(kEndTokens, text) != kEndTokens.end(); }

std::vector<int64_t> gguf_end_tokens(const Gguf& gguf) {
  std::vector<int64_t> ids;
  const auto add = [&ids](int64_t id) {
    if (id >= 0 && std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
  };
  for (const char* key : {"eos", "eot", "eom"}) add(gguf.get_int(std::string("tokenizer.ggml.") + key + "_token_id", -1));
  if (!gguf.has("tokenizer.ggml.tokens")) return ids;
  const auto& tokens = gguf.get_strings("tokenizer.ggml.tokens");
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (is_end_token(tokens[id]) && !only_ends_a_message(tokens[id], tokens)) add(static_cast<int64_t>(id));
  }
  return ids;
}

}  // namespace grpo
