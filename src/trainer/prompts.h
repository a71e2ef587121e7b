#pragma once

#include <vector>

#include "grpo/data/source.h"
#include "grpo/policy/policy.h"

namespace grpo {

/// The prompts of the problems under the config's template, each rendered and encoded once. A prompt that leaves no room for a completion
/// is an error, or its problem is left out, as `data.overlong_prompts` says.
std::vector<Policy::EncodedPrompt> encode_prompts(const Policy& policy, std::vector<Problem>& problems, const DataSection& data);

}  // namespace grpo
