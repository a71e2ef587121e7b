#pragma once

#include <memory>

#include "text/tokenizer_files.h"

namespace grpo::text {

/// A sentencepiece model ("tokenizer.model" of `files`), run by the sentencepiece library. The texts of special tokens are not looked for
/// in the text; add_bos_token (default true) and add_eos_token (default false) of tokenizer_config.json say what encode adds.
std::shared_ptr<const Tokenizer> make_sentencepiece_tokenizer(TokenizerFiles files);

}  // namespace grpo::text
