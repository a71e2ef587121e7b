#include "grpo/data/packed.h"

#include <limits>
#include <string>

#include "grpo/core/error.h"

namespace grpo {

int64_t PackedTokens::add_segment(std::span<const int32_t> ids, int64_t prefix_begin, int64_t prefix_end) {
  const int64_t begin = num_tokens(), end = begin + static_cast<int64_t>(ids.size());
  GRPO_CHECK(end <= std::numeric_limits<int32_t>::max(), "PackedTokens", "expected fewer than 2^31 tokens; got " + std::to_string(end));
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  for (int64_t i = 0; i < end - begin; ++i) positions.push_back(static_cast<int32_t>(prefix_end - prefix_begin + i));
  segments.push_back({begin, end, prefix_begin, prefix_end});
  return begin;
}

void PackedTokens::add_pair(int64_t row, int32_t target, int64_t sample) {
  rows.push_back(static_cast<int32_t>(row));
  targets.push_back(target);
  sequence_of.push_back(static_cast<int32_t>(sample));
}

void PackedTokens::add_pairs(int64_t row, std::span<const int32_t> next, int64_t sample) {
  for (const int32_t target : next) add_pair(row++, target, sample);
}

void PackedTokens::add_completion(std::span<const int32_t> completion, int64_t prompt_begin, int64_t prompt_end, int64_t sample) {
  const int64_t begin = add_segment(completion, prompt_begin, prompt_end);
  add_pair(prompt_end - 1, completion.front(), sample);
  add_pairs(begin, completion.subspan(1), sample);
}

}  // namespace grpo
