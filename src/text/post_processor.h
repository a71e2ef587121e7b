#pragma once

#include <cstdint>
#include <vector>

#include "text/json_fields.h"

namespace grpo::text {

/// What encode(…, add_special_tokens) puts around a text.
struct PostProcessor {
  std::vector<int32_t> before, after;
};

/// Reads "post_processor" of tokenizer.json for single texts: null, ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing,
/// Sequence. Throws `Error` naming any other type.
PostProcessor parse_post_processor(const Json& json, int depth = 0);

}  // namespace grpo::text
