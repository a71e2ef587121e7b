#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef GRPO_ISA
#error "compiled once per instruction set: GRPO_ISA names the namespace"
#endif

// One vector of floats as wide as the instruction set's registers; the compiler lowers it to the target's instructions. Nothing is
// contracted (cmake/GrpoCompiler.cmake): what is fused is written as multiply_add, so that an instruction set has one result, whatever the
// compiler.
namespace grpo::kernels::GRPO_ISA {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
inline constexpr int kTileRows = 8;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
inline constexpr int kTileRows = 6;
#else
inline constexpr int kLanes = 4;
inline constexpr int kTileRows = 4;
#endif

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

inline Vector load(const float* p) {
  Vector v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, const Vector& v) { std::memcpy(p, &v, sizeof v); }

/// a b + c: rounded once where the instruction set fuses products and sums, and twice where it does not.
inline float multiply_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
inline Vector multiply_add(const Vector& a, const Vector& b, const Vector& c) {
#if defined(__AVX512F__)
  return std::bit_cast<Vector>(_mm512_fmadd_ps(std::bit_cast<__m512>(a), std::bit_cast<__m512>(b), std::bit_cast<__m512>(c)));
#elif defined(__FMA__)
  return std::bit_cast<Vector>(_mm256_fmadd_ps(std::bit_cast<__m256>(a), std::bit_cast<__m256>(b), std::bit_cast<__m256>(c)));
#else
  return a * b + c;
#endif
}
inline Vector multiply_add(const Vector& a, float b, float c) { return multiply_add(a, b - Vector{}, c - Vector{}); }
inline Vector multiply_add(const Vector& a, const Vector& b, float c) { return multiply_add(a, b, c - Vector{}); }

/// The first `count` ≤ kLanes of a row's elements; the others are 0.
inline Vector load_some(const float* p, int64_t count) {
  if (count == kLanes) return load(p);
  float lanes[kLanes] = {};
  std::copy(p, p + count, lanes);
  return load(lanes);
}

/// 32-bit words, whatever they stand for.
typedef uint32_t WordVector __attribute__((vector_size(kLanes * sizeof(uint32_t))));

inline WordVector load_words(const uint32_t* p) {
  WordVector v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline Vector as_floats(const WordVector& v) { return std::bit_cast<Vector>(v); }
inline WordVector all(uint32_t word) { return word - WordVector{}; }

/// The blocks of kStep × kStep beside the diagonal of the 2 kStep lanes in question change places.
template <int kStep, int... kLane>
inline void exchange_blocks(Vector& a, Vector& b, std::integer_sequence<int, kLane...> /*lanes*/) {
  const Vector first = __builtin_shufflevector(a, b, ((kLane & kStep) != 0 ? kLanes + kLane - kStep : kLane)...);
  b = __builtin_shufflevector(a, b, ((kLane & kStep) != 0 ? kLanes + kLane : kLane + kStep)...);
  a = first;
}

/// Row i's lane j and row j's lane i change places.
template <int kStep = 1>
inline void transpose(Vector (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if ((i & kStep) == 0) exchange_blocks<kStep>(rows[i], rows[i + kStep], std::make_integer_sequence<int, kLanes>());
  }
  if constexpr (2 * kStep < kLanes) transpose<2 * kStep>(rows);
}

/// e^x within 2 ulp for x in [-87, 88]; 0 below, e^88 above. Range reduction and polynomial after Cephes' expf. Branchless: loops
/// vectorise.
inline float exp_approx(float x) {
  float clamped = x > 88.0F ? 88.0F : x;
  clamped = clamped < -87.0F ? -87.0F : clamped;
  const float shifted = clamped * 1.44269504088896341F;
  const auto n = static_cast<int32_t>(shifted + (shifted >= 0.0F ? 0.5F : -0.5F));
  const auto nf = static_cast<float>(n);
  const float r = multiply_add(nf, 2.12194440e-4F, multiply_add(nf, -0.693359375F, clamped));
  float p = 1.9875691500e-4F;
  p = multiply_add(p, r, 1.3981999507e-3F);
  p = multiply_add(p, r, 8.3334519073e-3F);
  p = multiply_add(p, r, 4.1665795894e-2F);
  p = multiply_add(p, r, 1.6666665459e-1F);
  p = multiply_add(p, r, 5.0000001201e-1F);
  p = multiply_add(p * r, r, r) + 1.0F;
  const int32_t bits = (n + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale * static_cast<float>(x >= -87.0F);
}

}  // namespace grpo::kernels::GRPO_ISA
