#pragma once

#include "ops/backend.h"

// Parts of the CUDA back end with files of their own.
namespace grpo::ops::cuda {

/// c = a b (+ c); a and b have one type, c theirs or float32. Rows lie a stride apart, columns side by side.
void multiply(const Operand& a, const Operand& b, const at::Tensor& c, bool accumulate);

AttentionOutput attention(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads);
at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const AttentionOutput& forward, const AttentionPlan& plan,
                              const HeadLayout& heads);

/// Bytes that logits and their gradients may take at a time.
inline constexpr int64_t kLogitBytes = int64_t{256} << 20;
/// Whole rows of logits, as many at a time as fit.
void linear_logprob(const HeadInput& in, HeadOutput& out, int64_t logit_bytes = kLogitBytes);
/// Columns of all rows, as many at a time as fit: a weight's gradient is then one product, whose sum is never rounded between.
void linear_logprob_backward(const HeadInput& in, const HeadGradient& gradient, at::Tensor& dhidden, at::Tensor& dweight,
                             int64_t logit_bytes = kLogitBytes);

}  // namespace grpo::ops::cuda
