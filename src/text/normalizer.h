#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "text/json_fields.h"

namespace grpo::text {

/// Rewrites a text before it is split; null where tokenizer.json has none.
using Normalizer = std::function<std::string(std::string_view)>;

/// Reads "normalizer" of tokenizer.json: null, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, Sequence.
/// Throws `Error` naming any other type.
Normalizer parse_normalizer(const Json& json, int depth = 0);

}  // namespace grpo::text
