#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "grpo/data/packed.h"
#include "train.h"

// The one place where tensors meet kernel pointers: shape checks, device dispatch and autograd. Tensors are contiguous and of one type:
// float32, on CUDA bfloat16 too, whose sums and statistics are float32 still.
// N rows (tokens), M (row, target) pairs, D hidden, H query heads, K key/value heads, d head dimension, V vocabulary.
namespace grpo::ops {

/// Whether CUDA's kernels compute on what lies on this device. Throws for a GPU where the build has no CUDA.
bool on_cuda(at::Device device);
/// Whether weights and activations may have this type there.
bool computes(at::Device device, at::ScalarType type);
/// Whether the build has CUDA and the machine a GPU.
bool has_cuda();
/// Where CUDA's tensors go. Throws where `has_cuda` is false.
at::Device cuda_device();
/// The devices of this machine that the build can use, for people.
std::vector<std::string> device_names();

/// Which row of a table each of N rows is.
struct RowIndex {
  RowIndex(const std::vector<int32_t>& rows, at::Device device);
  at::Tensor ids;    // [N] int32
  at::Tensor order;  // [N] int64, sorts the ids stably: equal ids are summed in a fixed order; undefined on the CPU
};

/// Who attends to whom in a packed batch, as each back end wants to know it.
struct AttentionPlan : torch::CustomClassHolder {
  std::vector<kernels::AttentionSegment> segments;
  int64_t rows = 0, longest = 0;  // of the batch; rows of its longest segment
  // The rest is CUDA's. Q rows of completions see K rows of prefixes as U sequences: neighbours with one prefix are one.
  at::Tensor table;                       // [S, 4] int64, the segments
  at::Tensor offsets;                     // [S+1] int32, where segments begin
  at::Tensor query_rows, key_rows;        // [Q], [K] int64; undefined without prefixes
  at::Tensor query_offsets, key_offsets;  // [U+1] int32
  int64_t longest_query = 0, longest_key = 0;
  bool has_prefixes() const { return query_rows.defined(); }
};

/// What every layer needs to know of a packed batch, made once per forward.
struct PackedLayout {
  explicit PackedLayout(const PackedTokens& batch, at::Device device);
  at::Tensor positions;  // [N] int32
  c10::intrusive_ptr<AttentionPlan> attention;
};

struct HeadLayout {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t window = 0;  // 0 = all positions
};

/// How a product is computed, and where its weight's gradient goes.
struct ProductOptions {
  kernels::Precision precision = kernels::Precision::kFloat32;  // of float32 operands on the CPU, in the backward too
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
/// d/2] in float32. Differentiable in qkv, q_norm and k_norm.
at::Tensor qk_norm_rope(const at::Tensor& qkv, const at::Tensor& q_norm, const at::Tensor& k_norm, const at::Tensor& cos,
                        const at::Tensor& sin, const PackedLayout& layout, const HeadLayout& heads, double eps);

/// Exact attention over the layout's segments; rotated qkv [N, (H+2K) d] → [N, H d]. Differentiable.
at::Tensor attention(const at::Tensor& qkv, const PackedLayout& layout, const HeadLayout& heads);

/// silu(gate) * up of gate_up [N, 2 I] → [N, I]. Differentiable.
at::Tensor swiglu(const at::Tensor& gate_up);

/// table[ids], [N, D]: embeddings, or a batch's predicting rows. Differentiable in the table [rows, D].
at::Tensor gather_rows(const at::Tensor& table, const RowIndex& index);
/// table[ids] += rows: what gather_rows does backwards.
void add_rows(const at::Tensor& rows, const RowIndex& index, const at::Tensor& table);

/// Sums of adjacent values: values [M] in segments of these lengths [S] → [S]. Differentiable.
at::Tensor segment_sum(const at::Tensor& values, const at::Tensor& lengths);
/// per_segment[segment_of], [S] → [M], for segments of these lengths. Differentiable: the gradient is a segment_sum, in a fixed order,
/// where index_select's would be added up with atomics on CUDA.
at::Tensor repeat_segments(const at::Tensor& per_segment, const at::Tensor& segment_of, const at::Tensor& lengths);

/// Runs autograd from the roots, whose gradients are given: none for a scalar's 1.
void backward(const std::vector<at::Tensor>& roots, const std::vector<at::Tensor>& gradients = {});

struct LinearLogprobOutput {
  at::Tensor logprobs;  // [M] float32
  at::Tensor entropy;   // [M] float32, undefined unless asked for
};

/// log softmax(hidden W^T / temperature)[target] and the entropy, without ever holding more than tiles of the [M, V] logits: the backward
/// computes each again. hidden [M, D], weight [V, D], targets [M] int32; columns from `limit` on are masked. Differentiable in hidden
/// and weight.
LinearLogprobOutput linear_logprob(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, double temperature,
                                   int64_t limit, bool entropy, const ProductOptions& options = {});

/// Σ x² over all elements of flat buffers, in double and in an order that depends on their sizes alone.
double sum_of_squares(const std::vector<at::Tensor>& buffers);

/// Flat buffers of one arena. `rounded` is undefined where the float32 masters are the weights themselves.
struct AdamWBuffers {
  at::Tensor masters, rounded, gradients, exp_avg, exp_avg_sq;
};
/// Updates the elements [begin, end) of masters and moments, and rounds the masters into the weights.
void adamw(const AdamWBuffers& buffers, int64_t begin, int64_t end, const kernels::AdamWStep& step);

}  // namespace grpo::ops
