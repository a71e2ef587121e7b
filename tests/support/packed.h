#pragma once

#include <span>
#include <vector>

#include "grpo/data/packed.h"

namespace grpo::testing {

/// Plain sequences, each predicting its own next tokens.
inline PackedTokens pack_sequences(const std::vector<std::vector<int32_t>>& sequences) {
  PackedTokens batch;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const int64_t begin = batch.add_segment(sequences[s]);
    batch.add_pairs(begin, std::span(sequences[s]).subspan(1), static_cast<int64_t>(s));
  }
  return batch;
}

/// A prompt once, then its completions, each predicting all of its own tokens.
inline PackedTokens pack_group(const std::vector<int32_t>& prompt, const std::vector<std::vector<int32_t>>& completions,
                               PackedTokens batch = {}) {
  const int64_t prompt_begin = batch.add_segment(prompt), prompt_end = batch.num_tokens();
  for (const auto& completion : completions) {
    batch.add_completion(completion, prompt_begin, prompt_end, batch.sequence_of.empty() ? 0 : batch.sequence_of.back() + 1);
  }
  return batch;
}

}  // namespace grpo::testing
