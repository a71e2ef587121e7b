#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "ops/cuda_parts.h"
#include "ops/cuda_tensors.h"
#include "ops/cuda_torch.h"

namespace grpo::ops::cuda {
namespace {

constexpr int64_t kUnit = 64;  // columns: rows of logits begin at aligned addresses

int64_t whole_units(int64_t n) { return (n + kUnit - 1) / kUnit * kUnit; }

/// Kernels over logits in float32, which the products give whatever the operands' type.
const kernels::CudaTrainKernels& logit_kernels() { return kernels::cuda_train_kernels(device::Element::kF32); }

}  // namespace

void linear_logprob(const HeadInput& in, HeadOutput& out, int64_t logit_bytes) {
  const int64_t rows = in.hidden.size(0), stride = whole_units(in.limit);
  if (rows == 0) return;
  const int64_t chunk = std::clamp<int64_t>(logit_bytes / (stride * 4), 1, rows);
  const at::Tensor logits = at::empty({chunk, stride}, out.lse.options()), head = in.weight.narrow(0, 0, in.limit);
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    multiply({in.hidden.narrow(0, begin, count)}, {head, true}, logits.narrow(0, 0, count).narrow(1, 0, in.limit), false);
    float* entropy = optional_data<float>(out.entropy);
    logit_kernels().token_logprob(logits.const_data_ptr(), in.targets.const_data_ptr<int32_t>() + begin,
                                  out.logprobs.mutable_data_ptr<float>() + begin, out.lse.mutable_data_ptr<float>() + begin,
                                  entropy == nullptr ? nullptr : entropy + begin, count, stride, in.limit,
                                  static_cast<float>(1.0 / in.temperature), current_stream());
  }
}

void linear_logprob_backward(const HeadInput& in, const HeadGradient& gradient, at::Tensor& dhidden, at::Tensor& dweight,
                             int64_t logit_bytes) {
  const int64_t rows = in.hidden.size(0), element = in.hidden.element_size();
  if (rows == 0) return;
  const bool rounds = in.hidden.scalar_type() != at::kFloat;  // gradients of logits are multiplied in the weights' type
  const int64_t fitting = logit_bytes / (rows * (rounds ? 4 + element : 4)) / kUnit * kUnit;
  const int64_t slice = std::clamp(fitting, kUnit, whole_units(in.limit));
  const at::Tensor logits = at::empty({rows, slice}, gradient.lse.options());
  at::Tensor sums = rounds ? at::empty(dhidden.sizes(), gradient.lse.options()) : dhidden;
  for (int64_t begin = 0; begin < in.limit; begin += slice) {
    const int64_t count = std::min(slice, in.limit - begin);
    const at::Tensor head = in.weight.narrow(0, begin, count), used = logits.narrow(1, 0, count);
    multiply({in.hidden}, {head, true}, used, false);
    const at::Tensor targets = in.targets.sub(begin);  // those of other slices are beyond this one's columns
    logit_kernels().token_logprob_backward(logits.mutable_data_ptr(), targets.const_data_ptr<int32_t>(),
                                           gradient.lse.const_data_ptr<float>(), optional_data<float>(gradient.entropy),
                                           gradient.dlogprobs.const_data_ptr<float>(), optional_data<float>(gradient.dentropy), rows, slice,
                                           count, static_cast<float>(1.0 / in.temperature), current_stream());
    const at::Tensor dlogits = rounds ? logits.to(in.hidden.scalar_type()).narrow(1, 0, count) : used;
    multiply({dlogits}, {head}, sums, begin > 0);
    if (dweight.defined()) multiply({dlogits, true}, {in.hidden}, dweight.narrow(0, begin, count), true);
  }
  if (rounds) dhidden.copy_(sums);
}

}  // namespace grpo::ops::cuda
