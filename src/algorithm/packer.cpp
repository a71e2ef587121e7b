#include "packer.h"

namespace grpo {

void Packer::add(int64_t group, std::span<const int32_t> prompt, std::span<const int32_t> completion) {
  if (batch_.groups.empty() || batch_.groups.back() != group) {
    batch_.add_segment(prompt);
    prompt_ = batch_.segments.back();
  }
  batch_.add_completion(completion, prompt_.begin, prompt_.end, batch_.num_sequences());
  batch_.groups.push_back(group);
}

}  // namespace grpo
