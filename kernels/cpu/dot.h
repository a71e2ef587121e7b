#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "cpu/vector.h"

// Register tiles of a product of activations and weights, one for every type of number: a `Dot` says how a 32-bit word of a row's
// activations (or the Input that it is expanded to once) meets a vector of weights. Every output is one chain over ascending depth,
// whatever the tile it falls into.
namespace grpo::kernels::GRPO_ISA {

typedef int32_t IntVector __attribute__((vector_size(kLanes * sizeof(int32_t))));
inline float widen(uint16_t bfloat) {
  const uint32_t bits = uint32_t{bfloat} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// To nearest even; NaN stays NaN.
inline uint16_t to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? (bits >> 16) | 0x40U : rounded);
}

// Rows of a tile of types that are taken apart into two registers: AVX2 has 16.
#if defined(__AVX2__) && !defined(__AVX512F__)
inline constexpr int kSplitTileRows = 4;
#else
inline constexpr int kSplitTileRows = kTileRows;
#endif

/// fp32 activations and weights.
struct FloatDot {
  static constexpr int kRows = kTileRows;
  using Input = float;
  using Weight = float;
  using Weights = Vector;
  using Sum = Vector;
  static Weights load_weights(const Weight* p) { return load(p); }
  static float spread(float x) { return x; }
  static void add(Sum& sum, float x, const Weights& w) { sum = multiply_add(x - Vector{}, w, sum); }
};

/// fp32 activations, bf16 weights: keys and values of a bf16 cache.
struct WideningDot {
  static constexpr int kRows = kTileRows;
  using Input = float;
  using Weight = uint16_t;
  using Weights = Vector;
  using Sum = Vector;
  static Weights load_weights(const Weight* p) {
    typedef uint16_t Halves __attribute__((vector_size(kLanes * sizeof(uint16_t))));
    Halves halves;
    std::memcpy(&halves, p, sizeof halves);
    return as_floats(__builtin_convertvector(halves, WordVector) << 16);
  }
  static float spread(float x) { return x; }
  static void add(Sum& sum, float x, const Weights& w) { sum = multiply_add(x - Vector{}, w, sum); }
};

/// Words of two bf16.
struct Bfloat16Dot {
  static constexpr int kRows = kSplitTileRows;
  using Weight = uint32_t;
  using Sum = Vector;
#if defined(__AVX512BF16__)
  using Input = uint32_t;
  using Weights = WordVector;
  static Weights load_weights(const Weight* p) { return load_words(p); }
  static WordVector spread(uint32_t x) { return all(x); }
  static void add(Sum& sum, const WordVector& x, const Weights& w) {
    sum = std::bit_cast<Vector>(_mm512_dpbf16_ps(std::bit_cast<__m512>(sum), std::bit_cast<__m512bh>(x), std::bit_cast<__m512bh>(w)));
  }
#else
  struct Input {
    uint32_t low, high;  // floats' bits
  };
  struct Weights {
    Vector low, high;
  };
  static Input expand(uint32_t word) { return {word << 16, word & 0xFFFF0000U}; }
  static Weights load_weights(const Weight* p) {
    const WordVector words = load_words(p);
    return {as_floats(words << 16), as_floats(words & 0xFFFF0000U)};
  }
  static Weights spread(const Input& x) { return {as_floats(all(x.low)), as_floats(all(x.high))}; }
  static void add(Sum& sum, const Weights& x, const Weights& w) {
    sum = multiply_add(x.low, w.low, sum);
    sum = multiply_add(x.high, w.high, sum);
  }
#endif
};

/// Words of four bytes: signed activations, weights with zero point 128. Sums are exact.
struct Int8Dot {
  static constexpr int kRows = kSplitTileRows;
  using Weight = uint32_t;
  using Sum = IntVector;
#if defined(__AVX512VNNI__)
  using Input = uint32_t;
  using Weights = WordVector;
  static Weights load_weights(const Weight* p) { return load_words(p); }
  static WordVector spread(uint32_t x) { return all(x); }
  static void add(Sum& sum, const WordVector& x, const Weights& w) {
    sum = std::bit_cast<IntVector>(_mm512_dpbusd_epi32(std::bit_cast<__m512i>(sum), std::bit_cast<__m512i>(w), std::bit_cast<__m512i>(x)));
  }
#elif defined(__AVX2__)
  typedef int16_t Shorts __attribute__((vector_size(kLanes * sizeof(int32_t))));
  struct Input {
    uint32_t even, odd;  // bytes 0 and 2, then 1 and 3, as 16-bit numbers
  };
  struct Weights {
    Shorts even, odd;
  };
  static uint32_t shorts(uint32_t low, uint32_t high) {
    return static_cast<uint16_t>(static_cast<int8_t>(low)) | uint32_t{static_cast<uint16_t>(static_cast<int8_t>(high))} << 16;
  }
  static Input expand(uint32_t word) { return {shorts(word, word >> 16), shorts(word >> 8, word >> 24)}; }
  static Weights load_weights(const Weight* p) {
    const WordVector words = load_words(p);
    return {std::bit_cast<Shorts>(words & 0x00FF00FFU), std::bit_cast<Shorts>((words >> 8) & 0x00FF00FFU)};
  }
  static Weights spread(const Input& x) { return {std::bit_cast<Shorts>(all(x.even)), std::bit_cast<Shorts>(all(x.odd))}; }
  static IntVector pairs(const Shorts& a, const Shorts& b) {
#if defined(__AVX512BW__)
    return std::bit_cast<IntVector>(_mm512_madd_epi16(std::bit_cast<__m512i>(a), std::bit_cast<__m512i>(b)));
#else
    return std::bit_cast<IntVector>(_mm256_madd_epi16(std::bit_cast<__m256i>(a), std::bit_cast<__m256i>(b)));
#endif
  }
  static void add(Sum& sum, const Weights& x, const Weights& w) { sum += pairs(x.even, w.even) + pairs(x.odd, w.odd); }
#else
  using Input = uint32_t;
  struct Weights {
    IntVector byte[4];
  };
  static Weights load_weights(const Weight* p) {
    const WordVector words = load_words(p);
    Weights weights;
    for (int i = 0; i < 4; ++i) weights.byte[i] = std::bit_cast<IntVector>((words >> (8 * i)) & 0xFFU);
    return weights;
  }
  static Weights spread(uint32_t x) {
    Weights activations;
    for (int i = 0; i < 4; ++i) activations.byte[i] = std::bit_cast<IntVector>(all(x) << (24 - 8 * i)) >> 24;
    return activations;
  }
  static void add(Sum& sum, const Weights& x, const Weights& w) {
    for (int i = 0; i < 4; ++i) sum += x.byte[i] * w.byte[i];
  }
#endif
};

/// 32-bit words of a Dot's Input.
template <class Dot>
inline constexpr int64_t kInputWords = sizeof(typename Dot::Input) / 4;

/// Where the tile's loop asks for the memory that is read later: kLines lines at every step, `bytes` further on than at the one before.
struct Prefetch {
  const char* from;
  int64_t bytes;
};

/// sum[i][j] += x[i * stride …] · weights[… , j]; weights [depth, ldw], kVectors vectors wide.
template <class Dot, int kLines, int kRows, int kVectors>
inline void dot_tile(const typename Dot::Input* x, int64_t stride, const typename Dot::Weight* w, int64_t ldw, int64_t depth,
                     Prefetch prefetch, typename Dot::Sum (&sum)[kRows][kVectors]) {
#pragma GCC unroll 2
  for (int64_t k = 0; k < depth; ++k) {
    for (int line = 0; line < kLines; ++line) __builtin_prefetch(prefetch.from + k * prefetch.bytes + line * 64, 0, 2);
    typename Dot::Weights weights[kVectors];
    for (int j = 0; j < kVectors; ++j) weights[j] = Dot::load_weights(w + k * ldw + j * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const auto left = Dot::spread(x[i * stride + k]);
      for (int j = 0; j < kVectors; ++j) Dot::add(sum[i][j], left, weights[j]);
    }
  }
}

/// Calls tile.template operator()<n>(first row) for rows 0 … rows-1 in tiles of n = kRows rows and one smaller one.
template <int kRows, class Tile>
inline void for_row_tiles(int64_t rows, const Tile& tile, int64_t first = 0) {
  for (; first + kRows <= rows; first += kRows) tile.template operator()<kRows>(first);
  if constexpr (kRows > 1) {
    if (first < rows) for_row_tiles<kRows - 1>(rows, tile, first);
  }
}

}  // namespace grpo::kernels::GRPO_ISA
