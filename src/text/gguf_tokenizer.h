#pragma once

#include <memory>

#include "grpo/io/gguf.h"
#include "grpo/text/tokenizer.h"

namespace grpo::text {

/// The tokenizer inside a GGUF file, rebuilt as tokenizer.json and tokenizer_config.json (its `files()`): `tokenizer.ggml.model` gpt2 as
/// byte-level BPE with the pre-tokenizer that `tokenizer.ggml.pre` names, llama as BPE with byte fallback, through merges that are
/// derived from the scores where the file has none. Throws `Error` naming what is missing or not supported.
std::shared_ptr<const Tokenizer> make_gguf_tokenizer(const Gguf& gguf);

}  // namespace grpo::text
