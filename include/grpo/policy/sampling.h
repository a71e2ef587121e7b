#pragma once

#include <vector>

#include "grpo/api.h"
#include "grpo/data/prompt.h"
#include "grpo/policy/experience.h"
#include "grpo/policy/policy.h"
#include "grpo/rollout/engine.h"

namespace GRPO_API grpo {

/// Samples params.num_generations completions of each problem. The answer has a group for each of `problems`, in their order; its `item`
/// is the place there.
Experience sample(const Policy& policy, RolloutEngine& engine, const std::vector<const Problem*>& problems, const PromptOptions& prompt,
                  const SamplingParams& params, const RolloutKey& key, const GenerateContext& context = {});

}  // namespace grpo
