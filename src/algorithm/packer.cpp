#include "packer.h"

namespace grpo {

void Packer::add(int64_t group, std::span<const int32_t> prompt, std::span<const int32_t> completion) {
  if (batch_.groups.empty() || batch_.groups.back() != group) {
    batch_.add_segment(prompt);
    prompt_ = batch_.segments.back();
  }
  const int64_t sample = batch_.num_samples(), begin = batch_.add_segment(completion, prompt_.begin, prompt_.end);
  for (size_t i = 0; i < completion.size(); ++i) {
    batch_.add_pair(i == 0 ? prompt_.end - 1 : begin + static_cast<int64_t>(i) - 1, completion[i], sample);
  }
  batch_.groups.push_back(group);
}

}  // namespace grpo
