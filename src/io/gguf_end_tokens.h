#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/io/gguf.h"

namespace grpo {

/// Whether a token of this text ends a turn or a text in every vocabulary that has one, whatever its type there.
bool is_end_token(std::string_view text);

/// The tokens that end what a model says, each once: those that eos_token_id, eot_token_id and eom_token_id of `tokenizer.ggml` name, as
/// far as they are not negative, and those that are known by their text. As llama.cpp does, which ends generation at any of them.
std::vector<int64_t> gguf_end_tokens(const Gguf& gguf);

}  // namespace grpo
