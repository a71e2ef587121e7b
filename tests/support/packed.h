#pragma once

#include <vector>

#include "grpo/data/packed.h"

namespace grpo::testing {

/// Plain sequences, each predicting its own next tokens.
inline PackedTokens pack_sequences(const std::vector<std::vector<int32_t>>& sequences) {
  PackedTokens batch;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const int64_t begin = batch.add_segment(sequences[s]);
    for (size_t t = 1; t < sequences[s].size(); ++t) {
      batch.add_pair(begin + static_cast<int64_t>(t) - 1, sequences[s][t], static_cast<int64_t>(s));
    }
  }
  return batch;
}

/// A prompt once, then its completions, each predicting all of its own tokens.
inline PackedTokens pack_group(const std::vector<int32_t>& prompt, const std::vector<std::vector<int32_t>>& completions,
                               PackedTokens batch = {}) {
  const int64_t prompt_begin = batch.add_segment(prompt), prompt_end = batch.num_tokens();
  for (const auto& completion : completions) {
    const int64_t sample = batch.samples.empty() ? 0 : batch.samples.back() + 1;
    const int64_t begin = batch.add_segment(completion, prompt_begin, prompt_end);
    for (size_t t = 0; t < completion.size(); ++t) {
      batch.add_pair(t == 0 ? prompt_end - 1 : begin + static_cast<int64_t>(t) - 1, completion[t], sample);
    }
  }
  return batch;
}

}  // namespace grpo::testing
