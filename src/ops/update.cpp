#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {

double sum_of_squares(const std::vector<at::Tensor>& buffers) {
  return buffers.empty() ? 0.0 : backend(buffers.front()).sum_of_squares(buffers);
}

void adamw(const AdamWBuffers& buffers, int64_t begin, int64_t end, const kernels::AdamWStep& step) {
  const int64_t size = buffers.masters.numel();
  for (const at::Tensor* each : {&buffers.gradients, &buffers.exp_avg, &buffers.exp_avg_sq}) {
    GRPO_CHECK(each->numel() == size, "adamw", "expected buffers of one size");
  }
  GRPO_CHECK(begin >= 0 && begin <= end && end <= size, "adamw", "expected a range within the buffers");
  backend(buffers.masters).adamw(buffers, begin, end, step);
}

}  // namespace grpo::ops
