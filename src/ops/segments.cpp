#include <ATen/ops/segment_reduce.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/ops.h"

namespace grpo::ops {
namespace {

struct RepeatSegments : torch::autograd::Function<RepeatSegments> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& per_segment, const at::Tensor& segment_of,
                            const at::Tensor& lengths) {
    context->save_for_backward({lengths});
    return per_segment.index_select(0, segment_of);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list grads) {
    return {segment_sum(grads[0].contiguous(), context->get_saved_variables()[0]), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor segment_sum(const at::Tensor& values, const at::Tensor& lengths) {
  return at::segment_reduce(values, "sum", lengths, {}, {}, 0, /*unsafe=*/true, 0);
}

at::Tensor repeat_segments(const at::Tensor& per_segment, const at::Tensor& segment_of, const at::Tensor& lengths) {
  return RepeatSegments::apply(per_segment, segment_of, lengths);
}

}  // namespace grpo::ops
