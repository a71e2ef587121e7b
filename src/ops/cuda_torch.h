#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

struct CUstream_st;

// What the CUDA back end needs of torch's own CUDA: cuda_torch.cpp has it. Tests without a GPU bring another definition of these functions
// and of `on_cuda`, `backend` and their like in ops.h, so that everything else runs as it does on a GPU.
namespace grpo::ops {

/// The stream that torch's operators use on this thread.
CUstream_st* current_stream();

/// One call of flash attention over sequences that lie one behind the other: query [Q, H, d], key and value [K, H_kv, d] in bf16, the last
/// dimension contiguous; sequences begin at the offsets [U+1] int32. With `causal`, sequences' queries and keys are the same rows.
struct FlashInput {
  at::Tensor query, key, value;
  at::Tensor query_offsets, key_offsets;
  int64_t longest_query = 0, longest_key = 0;
  bool causal = false;
  int64_t window = 0;  // positions that a query sees, itself included; 0 = all. With `causal` only
  double scale = 1.0;  // of the scores
};
struct FlashOutput {
  at::Tensor out;  // [Q, H, d]
  at::Tensor lse;  // [H, Q] float32
};
struct FlashGradient {
  at::Tensor query, key, value;
};
/// Whether this device has it.
bool has_flash();
FlashOutput flash_forward(const FlashInput& in);
/// `out` and `lse` may be of a softmax over more keys than these, of which the gradient's part through these keys is given.
FlashGradient flash_backward(const FlashInput& in, const at::Tensor& dout, const FlashOutput& forward);

}  // namespace grpo::ops
