#pragma once

#include <cstdint>
#include <span>

#include "grpo/algorithm/batch.h"

namespace grpo {

/// Lays sequences end to end into a batch's tokens, positions, segments, pairs and groups; the tensors are the caller's.
class Packer {
 public:
  explicit Packer(Batch& batch) : batch_(batch) {}

  /// Adds a sequence, and its prompt too unless the sequence before is of the same group. `prompt` and `completion` are not empty.
  void add(int64_t group, std::span<const int32_t> prompt, std::span<const int32_t> completion);

 private:
  Batch& batch_;
  PackedTokens::Segment prompt_;
};

}  // namespace grpo
