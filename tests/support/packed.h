#pragma once

#include <vector>

#include "grpo/data/packed.h"

namespace grpo::testing {

/// Plain sequences, each predicting its own next tokens.
inline PackedTokens pack_sequences(const std::vector<std::vector<int32_t>>& sequences) {
  PackedTokens batch;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const auto begin = batch.num_tokens();
    for (size_t t = 0; t < sequences[s].size(); ++t) {
      if (t + 1 < sequences[s].size()) {
        batch.rows.push_back(static_cast<int32_t>(batch.num_tokens()));
        batch.targets.push_back(sequences[s][t + 1]);
        batch.samples.push_back(static_cast<int32_t>(s));
      }
      batch.tokens.push_back(sequences[s][t]);
      batch.positions.push_back(static_cast<int32_t>(t));
    }
    batch.segments.push_back({begin, batch.num_tokens(), 0, 0});
  }
  return batch;
}

/// A prompt once, then its completions, each predicting all of its own tokens.
inline PackedTokens pack_group(const std::vector<int32_t>& prompt, const std::vector<std::vector<int32_t>>& completions,
                               PackedTokens batch = {}) {
  const auto prompt_begin = batch.num_tokens(), prompt_end = prompt_begin + static_cast<int64_t>(prompt.size());
  const auto push = [&batch](int32_t token, int64_t position) {
    batch.tokens.push_back(token);
    batch.positions.push_back(static_cast<int32_t>(position));
  };
  for (size_t t = 0; t < prompt.size(); ++t) push(prompt[t], static_cast<int64_t>(t));
  batch.segments.push_back({prompt_begin, prompt_end, 0, 0});
  for (const auto& completion : completions) {
    const auto begin = batch.num_tokens();
    const int32_t sample = batch.samples.empty() ? 0 : batch.samples.back() + 1;
    for (size_t t = 0; t < completion.size(); ++t) {
      batch.rows.push_back(static_cast<int32_t>(t == 0 ? prompt_end - 1 : batch.num_tokens() - 1));
      batch.targets.push_back(completion[t]);
      batch.samples.push_back(sample);
      push(completion[t], static_cast<int64_t>(prompt.size() + t));
    }
    batch.segments.push_back({begin, batch.num_tokens(), prompt_begin, prompt_end});
  }
  return batch;
}

}  // namespace grpo::testing
