#pragma once

#include <functional>
#include <string>
#include <vector>

#include "text/json_fields.h"

namespace grpo::text {

/// A stretch of normalized text on its way to the model, never empty.
struct Piece {
  std::string text;
  bool at_start = false;  // it begins where the whole input begins
};

/// Cuts pieces into smaller ones (merges never cross a cut) and may spell them anew.
using PreTokenizer = std::function<void(std::vector<Piece>&)>;

/// Reads "pre_tokenizer" of tokenizer.json: null (cuts nothing), ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit,
/// Metaspace, Sequence. Throws `Error` naming any other type.
PreTokenizer parse_pre_tokenizer(const Json& json, int depth = 0);

}  // namespace grpo::text
