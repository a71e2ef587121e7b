#pragma once

#include <type_traits>

#include "cpu/dot.h"
#include "cpu/gemm.h"
#include "cpu/train_kernels.h"
#include "decode.h"
#include "kv_page.h"

namespace grpo::kernels::GRPO_ISA {

inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/// Entries of a key block: four vectors' worth, so that few query heads still keep the multipliers busy.
inline constexpr int64_t kKeyBlock = 4 * kLanes;
static_assert(kKvPage % kKeyBlock == 0);

/// exp_approx of every lane, written on whole vectors: g++ 12 does not vectorise loops over the scalar function on every instruction set.
inline Vector exp_lanes(const Vector& x) {
  const Vector zero{};
  const Vector capped = x > 88.0F ? zero + 88.0F : x;
  const Vector clamped = capped < -87.0F ? zero - 87.0F : capped;
  const Vector shifted = clamped * 1.44269504088896341F;
  const IntVector n = __builtin_convertvector(shifted + (shifted >= 0.0F ? zero + 0.5F : zero - 0.5F), IntVector);
  const Vector nf = __builtin_convertvector(n, Vector);
  const Vector r = multiply_add(nf, zero + 2.12194440e-4F, multiply_add(nf, zero - 0.693359375F, clamped));
  Vector p = zero + 1.9875691500e-4F;
  p = multiply_add(p, r, 1.3981999507e-3F);
  p = multiply_add(p, r, 8.3334519073e-3F);
  p = multiply_add(p, r, 4.1665795894e-2F);
  p = multiply_add(p, r, 1.6666665459e-1F);
  p = multiply_add(p, r, 5.0000001201e-1F);
  p = multiply_add(p * r, r, r) + 1.0F;
  const IntVector bits = (n + 127) << 23;
  Vector scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return x < -87.0F ? zero : p * scale;
}

/// y[i] = exp((x[i] - shift) * scale), n a multiple of kLanes, y may be x; gives the sum, lanes first.
inline float exp_and_sum(const float* x, float* y, int64_t n, float shift, float scale) {
  Vector sum{};
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vector power = exp_lanes((load(x + i) - shift) * scale);
    store(y + i, power);
    sum += power;
  }
  return sum_lanes(sum);
}

int64_t value_columns(int64_t head_dim);
int64_t attention_scratch(int64_t group, int64_t head_dim, int64_t entries);
template <class Dot>
void decode_linear(const LinearPanel& panel, InputRows x, RowBlock y, int64_t rows, bool accumulate);
template <class Dot>
void decode_linear_swiglu(const LinearPanel& panel, InputRows x, RowBlock y, int64_t rows);
/// Dot: of the type of linear layer.
template <class Dot>
void expand_row(uint32_t* words, int64_t count);
void round_row_float32(const float* x, int64_t dim, uint32_t* words, RowScale* scale);
void round_row_bfloat16(const float* x, int64_t dim, uint32_t* words, RowScale* scale);
void round_row_int8(const float* x, int64_t dim, uint32_t* words, RowScale* scale);
void rms_norm_row(const float* x, const float* weight, float eps, float* y, int64_t dim);
/// Element: float, or uint16_t for bf16.
template <class Element>
void rotate_and_store(const QkvRow& row);
/// Dot: FloatDot or WideningDot, by the cache's elements.
template <class Dot>
void decode_attention(const AttentionTask& task);
SoftmaxSums softmax_sums(const float* logits, int64_t count, float inverse_temperature, float* block_sums);
int64_t inverse_cdf(const float* logits, int64_t count, float inverse_temperature, const SoftmaxSums& sums, const float* block_sums,
                    float uniform);

template <class Dot>
constexpr LinearKernels linear_kernels(int64_t per_word, uint32_t weight_flip, decltype(LinearKernels::round_row) round_row) {
  return {.per_word = per_word,
          .input_words = kInputWords<Dot>,
          .tile_rows = Dot::kRows,
          .weight_flip = weight_flip,
          .round_row = round_row,
          .expand_row = expand_row<Dot>,
          .linear = decode_linear<Dot>,
          .linear_swiglu = decode_linear_swiglu<Dot>};
}

}  // namespace grpo::kernels::GRPO_ISA
