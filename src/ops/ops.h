#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "grpo/data/packed.h"
#include "train.h"

// The one place where tensors meet kernel pointers: shape checks, device dispatch and autograd. All tensors are float32 and contiguous.
// N rows (tokens), M (row, target) pairs, D hidden, H query heads, K key/value heads, d head dimension, V vocabulary.
namespace grpo::ops {

/// What every layer needs to know of a packed batch, made once per forward.
struct PackedLayout {
  explicit PackedLayout(const PackedTokens& batch, at::Device device);
  std::vector<PackedTokens::Segment> segments;
  at::Tensor positions;  // [N] int32
};

struct HeadLayout {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t window = 0;  // 0 = all positions
};

/// How a product is computed, and where its weight's gradient goes.
struct ProductOptions {
  kernels::Precision precision = kernels::Precision::kFloat32;  // of the operands, in the backward too
  bool exact = false;      // the head's log-probs run in the decode engine's order; everything else does anyway in float32
  bool into_grad = false;  // the backward adds the weight's gradient to weight.grad() itself and hands none to autograd
};

/// residual + x W^T + bias; x [N, in], weight [out, in], bias [out] and residual [N, out] may be undefined. Differentiable in all four.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ProductOptions& options = {},
                  const at::Tensor& residual = {});

/// LoRA beside a linear layer: outputs [begin, end) of piece p get scale · B_p A_p x.
struct LowRank {
  at::Tensor a;  // [pieces · rank, in], A_p one after the other
  at::Tensor b;  // [outputs of all pieces, rank], B_p one after the other
  std::vector<std::pair<int64_t, int64_t>> pieces;
  double scale = 1.0;
};

/// Adds the adapters' part to y [N, out] in place and gives it; x [N, in]. Differentiable in y, x, a and b.
at::Tensor add_low_rank(const at::Tensor& y, const at::Tensor& x, const LowRank& adapter, const ProductOptions& options = {});

/// x * rsqrt(mean(x²) + eps) * weight; x [N, D], weight [D]. Differentiable in both.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// RMSNorm of q and k heads (where the weights [d] are defined), then rotation by position; qkv [N, (H+2K) d], cos and sin [positions,
/// d/2]. Differentiable in qkv, q_norm and k_norm.
at::Tensor qk_norm_rope(const at::Tensor& qkv, const at::Tensor& q_norm, const at::Tensor& k_norm, const at::Tensor& cos,
                        const at::Tensor& sin, const PackedLayout& layout, const HeadLayout& heads, double eps);

/// Exact attention over the layout's segments; rotated qkv [N, (H+2K) d] → [N, H d]. Differentiable.
at::Tensor attention(const at::Tensor& qkv, const PackedLayout& layout, const HeadLayout& heads);

/// silu(gate) * up of gate_up [N, 2 I] → [N, I]. Differentiable.
at::Tensor swiglu(const at::Tensor& gate_up);

struct LinearLogprobOutput {
  at::Tensor logprobs;  // [M]
  at::Tensor entropy;   // [M], undefined unless asked for
};

/// log softmax(hidden W^T / temperature)[target] and the entropy, without ever holding more than tiles of the [M, V] logits: the backward
/// computes each again. hidden [M, D], weight [V, D], targets [M] int32; columns from `limit` on are masked. Differentiable in hidden
/// and weight.
LinearLogprobOutput linear_logprob(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, double temperature,
                                   int64_t limit, bool entropy, const ProductOptions& options = {});

}  // namespace grpo::ops
