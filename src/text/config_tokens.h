#pragma once

#include "text/json_fields.h"

namespace grpo::text {

/// Completes the "added_tokens" of a tokenizer.json by those of a tokenizer_config.json, as transformers does: flags in
/// added_tokens_decoder win; tokens that only it or the name of a special token (eos_token, …, extra_special_tokens) brings follow, with
/// the ids that come next. Names a token in a warning whose id in added_tokens_decoder is another one.
void add_config_tokens(Json& document, const Json& config);

}  // namespace grpo::text
