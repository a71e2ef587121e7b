#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grpo/rollout/engine.h"

namespace grpo {

/// What one call of RolloutEngine::generate runs with, checked.
struct GeneratePlan {
  std::span<const Prompt> prompts;
  const SamplingParams& params;
  RolloutKey key;
  const GenerateContext& context;
  std::vector<int32_t> stop_ids;  // sorted
  int64_t slots = 0;
  int64_t pages = 0;  // of keys and values: enough for the longest prompt and completion at least
  int64_t prefill_tokens = 0;
  int64_t max_length = 0;  // prompt and completion together
  int64_t weights_version = 0;

  int64_t samples_of(const Prompt& prompt) const { return prompt.continuation ? 1 : params.num_generations; }
  const RolloutKey& key_of(const Prompt& prompt) const { return prompt.continuation ? prompt.continuation->key : key; }
  /// Tokens of a completion at most, and at the end of this call.
  int64_t completion_limit(const Prompt& prompt) const;
  int64_t call_limit(const Prompt& prompt) const;
};

/// Tokens of its completion that a prompt brings along.
inline int64_t earlier_tokens(const Prompt& prompt) {
  return prompt.continuation ? static_cast<int64_t>(prompt.continuation->ids.size()) : 0;
}

}  // namespace grpo
