#pragma once

#include <cstdint>

#include "device.h"
#include "train.h"

// Launchers of the training path on the device. Activations, weights and their gradients are of the table's element type, sums are fp32 or
// better, and every sum has an order that depends on the sizes alone. All pointers are the device's. N rows (tokens), D hidden, H query
// heads, K key/value heads, d head dimension. Nothing happens where there are no rows. C++17.
namespace grpo::kernels {

inline constexpr int64_t kPartialBlocks = 256;  // rows of partial sums that a weight's gradient needs
inline constexpr int64_t kMaxHeadDim = 256;     // of attention

/// Doubles that sum_of_squares needs for `count` elements.
inline constexpr int64_t kSquareBlock = int64_t{1} << 15;
constexpr int64_t square_partials(int64_t count) { return (count + kSquareBlock - 1) / kSquareBlock; }

/// Per q and k head of qkv [rows, (H+2K) d]: RMSNorm where a weight [d] is given, then the rotation of pairs (i, i + pairs) by the
/// position's row; dimensions from 2 pairs on are not rotated. v is copied.
struct QkNormRope {
  const void* qkv = nullptr;
  const void *q_norm = nullptr, *k_norm = nullptr;
  const float *cos = nullptr, *sin = nullptr;  // [positions, pairs]
  const int32_t* positions = nullptr;          // [rows]
  float* rstd = nullptr;                       // [rows, H+K], of heads with a norm
  int64_t rows = 0, heads = 0, kv_heads = 0, head_dim = 0, pairs = 0;
};
struct QkNormRopeGradient {
  const void* dout = nullptr;                    // [rows, (H+2K) d]
  void* dqkv = nullptr;                          // written
  float *dq_norm = nullptr, *dk_norm = nullptr;  // [d], added to where the weight is given
  float* partials = nullptr;                     // [kPartialBlocks, 2 d]; null without norms
};

/// Rotated qkv [rows, (H+2K) d] in segments that cover the rows in order, as PackedTokens::Segment.
struct PackedAttention {
  const void* qkv = nullptr;
  void* out = nullptr;   // [rows, H d]
  float* lse = nullptr;  // [rows, H], log-sum-exp of the scores
  const AttentionSegment* segments = nullptr;
  int64_t num_segments = 0, rows = 0;
  int64_t longest = 0;  // rows of the longest segment
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t window = 0;  // positions a token sees, itself included; 0 = all
  float scale = 1.0F;  // of the scores
};
struct PackedAttentionGradient {
  const void* dout = nullptr;  // [rows, H d]
  void* dqkv = nullptr;        // [rows, (H+2K) d], written
  float* delta = nullptr;      // [rows, H], scratch
};

/// The contracts of TrainKernels but for the element type, where memory is said to be scratch, and the stream.
struct CudaTrainKernels {
  void (*rms_norm)(const void* x, const void* weight, void* y, float* rstd, int64_t rows, int64_t dim, float eps, CUstream_st* stream);
  /// dx is written, dweight [dim] in fp32 is added to; scratch partials [kPartialBlocks, dim].
  void (*rms_norm_backward)(const void* dy, const void* x, const void* weight, const float* rstd, void* dx, float* dweight, float* partials,
                            int64_t rows, int64_t dim, CUstream_st* stream);

  void (*qk_norm_rope)(const QkNormRope& args, void* out, float eps, CUstream_st* stream);
  void (*qk_norm_rope_backward)(const QkNormRope& args, const QkNormRopeGradient& gradient, CUstream_st* stream);

  void (*attention)(const PackedAttention& args, CUstream_st* stream);
  /// Of args.out and args.lse as attention left them.
  void (*attention_backward)(const PackedAttention& args, const PackedAttentionGradient& gradient, CUstream_st* stream);

  void (*swiglu)(const void* gate_up, void* y, int64_t rows, int64_t dim, CUstream_st* stream);
  void (*swiglu_backward)(const void* dy, const void* gate_up, void* dgate_up, int64_t rows, int64_t dim, CUstream_st* stream);

  void (*token_logprob)(const void* logits, const int32_t* targets, float* logprobs, float* lse, float* entropy, int64_t rows,
                        int64_t vocab, int64_t limit, float inverse_temperature, CUstream_st* stream);
  void (*token_logprob_backward)(void* logits, const int32_t* targets, const float* lse, const float* entropy, const float* dlogprobs,
                                 const float* dentropy, int64_t rows, int64_t vocab, int64_t limit, float inverse_temperature,
                                 CUstream_st* stream);

  /// out [rows, dim] = table[ids].
  void (*embedding)(const int32_t* ids, const void* table, void* out, int64_t rows, int64_t dim, CUstream_st* stream);
  /// dtable[ids] += dout; order [rows] sorts the ids stably: ids[order[i]] ascend, equal ids by row.
  void (*embedding_backward)(const void* dout, const int32_t* ids, const int64_t* order, void* dtable, int64_t rows, int64_t dim,
                             CUstream_st* stream);

  /// Updates the fp32 masters and, where not null, writes `weights` rounded from them; gradients are of the element type.
  void (*adamw)(float* masters, void* weights, const void* gradients, float* exp_avg, float* exp_avg_sq, int64_t begin, int64_t end,
                const AdamWStep& step, CUstream_st* stream);
  /// result[0] = the sum; scratch partials [square_partials(count)].
  void (*sum_of_squares)(const void* x, int64_t count, double* partials, double* result, CUstream_st* stream);
};

const CudaTrainKernels& cuda_train_kernels(device::Element element);

}  // namespace grpo::kernels
