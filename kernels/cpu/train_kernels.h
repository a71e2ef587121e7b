#pragma once

#include <algorithm>
#include <limits>

#include "cpu/vector.h"
#include "train.h"

namespace grpo::kernels::GRPO_ISA {

inline float sum_lanes(const Vector& v) {
  float lanes[kLanes];
  std::memcpy(lanes, &v, sizeof v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

/// Dot product in a fixed order: lane sums over whole vectors, then the tail.
inline float dot(const float* a, const float* b, int64_t n) {
  Vector sum{};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = multiply_add(load(a + i), load(b + i), sum);
  float total = sum_lanes(sum);
  for (; i < n; ++i) total = multiply_add(a[i], b[i], total);
  return total;
}

struct RotatedPair {
  float low, high;
};

/// A pair of a head's elements turned by the angle of this cosine and sine.
inline RotatedPair rotated(float low, float high, float cos, float sin) {
  return {multiply_add(low, cos, -(high * sin)), multiply_add(high, cos, low * sin)};
}

/// Sum in a fixed order: lane sums over whole vectors, then the tail.
inline float row_sum(const float* x, int64_t n) {
  Vector sum{};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum += load(x + i);
  float total = sum_lanes(sum);
  for (; i < n; ++i) total += x[i];
  return total;
}

/// The largest element; -infinity where n is 0.
inline float row_max(const float* x, int64_t n) {
  float best = -std::numeric_limits<float>::infinity();
  Vector top = best - Vector{};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vector v = load(x + i);
    top = v > top ? v : top;
  }
  float lanes[kLanes];
  std::memcpy(lanes, &top, sizeof top);
  for (const float lane : lanes) best = std::max(best, lane);
  for (; i < n; ++i) best = std::max(best, x[i]);
  return best;
}

void matrix_product(const MatrixView& a, const MatrixView& b, float* c, int64_t ldc, const ProductShape& shape, bool accumulate,
                    Precision precision);
void rms_norm(const float* x, const float* weight, float* y, float* rstd, int64_t rows, int64_t dim, float eps);
void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* rstd, float* dx, float* dweight, int64_t rows,
                       int64_t dim);
void qk_norm_rope(const float* qkv, const float* q_norm, const float* k_norm, const float* cos, const float* sin, const int32_t* positions,
                  float* out, float* rstd, int64_t rows, const AttentionShape& shape, float eps);
void qk_norm_rope_backward(const float* dout, const float* qkv, const float* q_norm, const float* k_norm, const float* cos,
                           const float* sin, const int32_t* positions, const float* rstd, float* dqkv, float* dq_norm, float* dk_norm,
                           int64_t rows, const AttentionShape& shape);
void attention(const float* qkv, float* out, float* lse, const AttentionSegment* segments, int64_t num_segments,
               const AttentionShape& shape);
void attention_backward(const float* dout, const float* qkv, const float* out, const float* lse, float* dqkv,
                        const AttentionSegment* segments, int64_t num_segments, const AttentionShape& shape);
void swiglu(const float* gate_up, float* y, int64_t rows, int64_t dim);
void swiglu_backward(const float* dy, const float* gate_up, float* dgate_up, int64_t rows, int64_t dim);
void linear_logprob(const LogprobHead& head, float* logprobs, float* lse, float* entropy);
void linear_logprob_backward(const LogprobHead& head, const LogprobGradient& gradient);
void adamw(float* weights, const float* gradients, float* exp_avg, float* exp_avg_sq, int64_t begin, int64_t end, const AdamWStep& step);
double sum_of_squares(const float* x, int64_t count);

}  // namespace grpo::kernels::GRPO_ISA
