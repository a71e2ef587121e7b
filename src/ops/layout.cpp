#include <ATen/ops/empty.h>

#include <algorithm>

#include "grpo/core/error.h"
#include "ops/ops.h"

namespace grpo::ops {

PackedLayout::PackedLayout(const PackedTokens& batch, at::Device device) : segments(batch.segments) {
  int64_t next = 0;
  for (const auto& s : segments) {
    GRPO_CHECK(s.begin == next && s.end > s.begin, "packed batch", "expected non-empty segments that cover the rows in order");
    GRPO_CHECK(s.prefix_begin >= 0 && s.prefix_begin <= s.prefix_end && s.prefix_end <= s.begin, "packed batch",
               "expected a prefix of earlier rows; got rows " + std::to_string(s.prefix_begin) + " to " + std::to_string(s.prefix_end));
    next = s.end;
  }
  GRPO_CHECK(next == batch.num_tokens() && batch.positions.size() == batch.tokens.size(), "packed batch",
             "expected segments and positions for " + std::to_string(batch.num_tokens()) + " tokens; got " + std::to_string(next));
  positions = at::empty({batch.num_tokens()}, at::kInt);
  std::copy(batch.positions.begin(), batch.positions.end(), positions.data_ptr<int32_t>());
  positions = positions.to(device);
}

}  // namespace grpo::ops
