#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/text/tokenizer.h"

namespace GRPO_API grpo {

/// A tokenizer without training: the 256 bytes are ids 0 … 255, then one id for each of `extra_tokens` (matched before the bytes, not
/// special), then `<|endoftext|>`, which ends and pads. Saved as a tokenizer.json like any other.
std::shared_ptr<const Tokenizer> make_byte_tokenizer(const std::vector<std::string>& extra_tokens = {});

}  // namespace grpo
