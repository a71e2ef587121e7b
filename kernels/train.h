#pragma once

#include <cstdint>

// Kernels of the training path on the CPU, fp32. N rows (tokens), D hidden, H query heads, K key/value heads, d head dimension.
// Work is split over OpenMP threads by rows or heads; each output is reduced in an order that depends on the thread count at most.
namespace grpo::kernels {

/// A run of rows that sees its prefix rows and, causally, itself: as grpo::PackedTokens::Segment.
struct AttentionSegment {
  int64_t begin, end, prefix_begin, prefix_end;
};

struct AttentionShape {
  int64_t heads, kv_heads, head_dim;
  int64_t window;  // positions a token sees, itself included; 0 = all
  float scale;     // of the scores
  int64_t row_stride() const { return (heads + 2 * kv_heads) * head_dim; }
};

/// How the operands of a product are rounded; sums are always in float32.
enum class Precision { kFloat32, kBfloat16 };

/// An operand of a matrix product. Element (outer o, depth k) is data[o * stride + k] where `depth_contiguous`, else data[k * stride + o];
/// outer counts rows of A and columns of B.
struct MatrixView {
  const float* data;
  int64_t stride;
  bool depth_contiguous;
};

struct ProductShape {
  int64_t rows, columns, depth;
};

/// Log-probabilities of targets under softmax(hidden weight^T * inverse_temperature), over the first `limit` rows of weight. Logits exist
/// a tile at a time.
struct LogprobHead {
  const float* hidden;     // [rows, dim]
  const float* weight;     // [vocab, dim]
  const int32_t* targets;  // [rows]; from `limit` on the log-probability is -infinity
  int64_t rows, dim, limit;
  float inverse_temperature;
  Precision precision;
  bool exact = false;  // sums in the order of DecodeKernels::softmax_sums, at the price of a second pass over the weights
};

struct LogprobGradient {
  const float *lse, *entropy;         // [rows], of the forward; entropy may be null with dentropy
  const float *dlogprobs, *dentropy;  // [rows]
  float* dhidden;                     // [rows, dim], written
  float* dweight;                     // [vocab, dim], added to; null for a frozen weight
};

struct AdamWStep {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float bias_correction1, bias_correction2;  // 1 - beta^t
  float gradient_scale;                      // gradients are multiplied by it (clipping)
};

struct TrainKernels {
  /// C [rows, columns] (+)= A · B, C row major with leading dimension ldc. Every output is one chain of multiply-adds over ascending
  /// depth, independent of the thread count; with kBfloat16 both operands are rounded to bf16 first (subnormal numbers may become 0).
  void (*product)(const MatrixView& a, const MatrixView& b, float* c, int64_t ldc, const ProductShape& shape, bool accumulate,
                  Precision precision);

  /// y = x * rsqrt(mean(x^2) + eps) * weight; rstd [rows] is kept for the backward. x and y [rows, dim].
  void (*rms_norm)(const float* x, const float* weight, float* y, float* rstd, int64_t rows, int64_t dim, float eps);
  /// dx is written, dweight [dim] is added to.
  void (*rms_norm_backward)(const float* dy, const float* x, const float* weight, const float* rstd, float* dx, float* dweight,
                            int64_t rows, int64_t dim);

  /// Per q and k head of qkv [rows, (H+2K) d]: RMSNorm with q_norm/k_norm [d] where not null, then the rotation by positions' rows of
  /// cos/sin [positions, d/2]; v is copied. rstd [rows, H+K] is written where the norms are not null.
  void (*qk_norm_rope)(const float* qkv, const float* q_norm, const float* k_norm, const float* cos, const float* sin,
                       const int32_t* positions, float* out, float* rstd, int64_t rows, const AttentionShape& shape, float eps);
  /// dqkv is written; dq_norm, dk_norm [d] are added to where not null.
  void (*qk_norm_rope_backward)(const float* dout, const float* qkv, const float* q_norm, const float* k_norm, const float* cos,
                                const float* sin, const int32_t* positions, const float* rstd, float* dqkv, float* dq_norm, float* dk_norm,
                                int64_t rows, const AttentionShape& shape);

  /// Exact softmax attention over packed segments. qkv [N, (H+2K) d] rotated; out [N, H d]; lse [N, H] (log-sum-exp of the scores).
  void (*attention)(const float* qkv, float* out, float* lse, const AttentionSegment* segments, int64_t num_segments,
                    const AttentionShape& shape);
  /// dqkv [N, (H+2K) d] must be zero on entry and is added to.
  void (*attention_backward)(const float* dout, const float* qkv, const float* out, const float* lse, float* dqkv,
                             const AttentionSegment* segments, int64_t num_segments, const AttentionShape& shape);

  /// y = silu(gate) * up; gate_up [rows, 2 dim] with rows [gate, up]; y [rows, dim].
  void (*swiglu)(const float* gate_up, float* y, int64_t rows, int64_t dim);
  void (*swiglu_backward)(const float* dy, const float* gate_up, float* dgate_up, int64_t rows, int64_t dim);

  /// logprobs, lse (log-sum-exp of the scaled logits) and, where not null, entropy in nats, each [rows].
  void (*linear_logprob)(const LogprobHead& head, float* logprobs, float* lse, float* entropy);
  void (*linear_logprob_backward)(const LogprobHead& head, const LogprobGradient& gradient);

  /// One AdamW update of [begin, end) of flat buffers (Loshchilov and Hutter, "Decoupled weight decay regularization", Algorithm 2).
  void (*adamw)(float* weights, const float* gradients, float* exp_avg, float* exp_avg_sq, int64_t begin, int64_t end,
                const AdamWStep& step);
  /// Sum of squares in double, in fixed blocks: independent of the thread count.
  double (*sum_of_squares)(const float* x, int64_t count);
};

}  // namespace grpo::kernels
