#include "packer.h"

#include <limits>
#include <string>

#include "grpo/core/error.h"

namespace grpo {

void Packer::append(std::span<const int32_t> ids, int64_t first_position, int64_t prefix_begin, int64_t prefix_end) {
  const int64_t begin = batch_.num_tokens();
  const int64_t end = begin + static_cast<int64_t>(ids.size());
  GRPO_CHECK(end <= std::numeric_limits<int32_t>::max(), "Batch", "expected fewer than 2^31 tokens; got " + std::to_string(end));
  batch_.segments.push_back({begin, end, prefix_begin, prefix_end});
  batch_.tokens.insert(batch_.tokens.end(), ids.begin(), ids.end());
  for (int64_t i = 0; i < end - begin; ++i) batch_.positions.push_back(static_cast<int32_t>(first_position + i));
}

void Packer::add(int64_t group, std::span<const int32_t> prompt, std::span<const int32_t> completion) {
  if (batch_.groups.empty() || batch_.groups.back() != group) {
    append(prompt, 0, 0, 0);
    prompt_ = batch_.segments.back();
  }
  const auto sample = static_cast<int32_t>(batch_.num_samples());
  const auto begin = static_cast<int32_t>(batch_.num_tokens());
  append(completion, prompt_.end - prompt_.begin, prompt_.begin, prompt_.end);
  for (int32_t i = 0; i < static_cast<int32_t>(completion.size()); ++i) {
    batch_.rows.push_back(i == 0 ? static_cast<int32_t>(prompt_.end - 1) : begin + i - 1);
    batch_.samples.push_back(sample);
  }
  batch_.targets.insert(batch_.targets.end(), completion.begin(), completion.end());
  batch_.groups.push_back(group);
}

}  // namespace grpo
