#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "cpu/vector.h"
#include "train.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

// The matrix product of the training path. Operands are staged as words of 32 bits, one float or two bf16 neighbours in depth, so that
// one loop serves both precisions. Every output is one chain of multiply-adds over ascending depth, cut at kDepthWords where it passes
// through memory unrounded: results depend on no split of rows or columns.
namespace grpo::kernels::GRPO_ISA {
namespace product {

#if defined(__AVX512F__)
inline constexpr int kTileRows = 12;
#elif defined(__AVX2__)
inline constexpr int kTileRows = 6;
#else
inline constexpr int kTileRows = 4;
#endif
inline constexpr int kVectors = 2;
inline constexpr int64_t kPanel = kVectors * kLanes;          // columns of a register tile
inline constexpr int64_t kDepthWords = 256;                   // a panel of B this deep stays in the first-level cache
inline constexpr int64_t kRowBlock = int64_t{kTileRows} * 8;  // rows of A that are worked through per panel

typedef uint32_t WordVector __attribute__((vector_size(kLanes * sizeof(uint32_t))));

inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/// The bf16 nearest to a float (ties to even) in the upper half of a word; NaN stays NaN. T: a word or a vector of them.
template <class T>
inline T rounded_bits(const T& bits) {
  const T nearest = bits + 0x7FFFU + ((bits >> 16) & 1U);
  return (bits & 0x7FFFFFFFU) > 0x7F800000U ? bits | 0x00400000U : nearest;
}
template <class T>
inline T bf16_pair(const T& low, const T& high) {
  return (rounded_bits(high) & 0xFFFF0000U) | (rounded_bits(low) >> 16);
}
inline uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }

struct Float32 {
  using Word = float;
  static constexpr int64_t kPerWord = 1;
  using Right = Vector;
  static Right load_right(const float* p) { return load(p); }
  static Vector spread(float x) { return x - Vector{}; }
  static void multiply_add(Vector& sum, const Vector& left, const Right& right) { sum += left * right; }
};

/// Two bf16 in a word, the lower half being the earlier one in depth.
struct Bfloat16 {
  using Word = uint32_t;
  static constexpr int64_t kPerWord = 2;
#if defined(__AVX512BF16__)
  using Right = WordVector;
  static Right load_right(const uint32_t* p) {
    Right words;
    std::memcpy(&words, p, sizeof words);
    return words;
  }
  static Right spread(uint32_t x) { return x - WordVector{}; }
  static void multiply_add(Vector& sum, const Right& left, const Right& right) {
    sum =
        std::bit_cast<Vector>(_mm512_dpbf16_ps(std::bit_cast<__m512>(sum), std::bit_cast<__m512bh>(left), std::bit_cast<__m512bh>(right)));
  }
#else
  struct Right {
    Vector low, high;
  };
  static Right split(const WordVector& words) { return {std::bit_cast<Vector>(words << 16), std::bit_cast<Vector>(words & 0xFFFF0000U)}; }
  static Right load_right(const uint32_t* p) {
    WordVector words;
    std::memcpy(&words, p, sizeof words);
    return split(words);
  }
  static Right spread(uint32_t x) { return split(x - WordVector{}); }
  static void multiply_add(Vector& sum, const Right& left, const Right& right) {
    sum += left.low * right.low;
    sum += left.high * right.high;
  }
#endif
};

/// Words of A: element (row, k) is data[row * row_stride + k * k_stride].
template <class P>
struct Left {
  const typename P::Word* data;
  int64_t row_stride, k_stride;
};

/// C [kRows, columns] (+)= A · panel, beginning with C's value where `accumulate`; columns ≤ kPanel.
template <class P, int kRows>
inline void tile(const Left<P>& a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc, int64_t columns, bool accumulate) {
  if (columns < kPanel) {
    float edge[kRows][kPanel] = {};
    for (int i = 0; i < kRows && accumulate; ++i) std::copy(c + i * ldc, c + i * ldc + columns, edge[i]);
    tile<P, kRows>(a, panel, depth, edge[0], kPanel, kPanel, accumulate);
    for (int i = 0; i < kRows; ++i) std::copy(edge[i], edge[i] + columns, c + i * ldc);
    return;
  }
  Vector sum[kRows][kVectors] = {};
  for (int i = 0; i < kRows && accumulate; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = load(c + i * ldc + j * kLanes);
  }
  for (int64_t k = 0; k < depth; ++k) {
    typename P::Right right[kVectors];
    for (int j = 0; j < kVectors; ++j) right[j] = P::load_right(panel + k * kPanel + j * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const auto left = P::spread(a.data[i * a.row_stride + k * a.k_stride]);
      for (int j = 0; j < kVectors; ++j) P::multiply_add(sum[i][j], left, right[j]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) store(c + i * ldc + j * kLanes, sum[i][j]);
  }
}

template <class P, int kRows = kTileRows>
inline void tile_of(int64_t rows, const Left<P>& a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc, int64_t columns,
                    bool accumulate) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return tile_of<P, kRows - 1>(rows, a, panel, depth, c, ldc, columns, accumulate);
  }
  tile<P, kRows>(a, panel, depth, c, ldc, columns, accumulate);
}

/// Rows `outer` … of a matrix whose depth is contiguous, as words [outer, words]; the last one is filled up with zero.
inline void pair_row(const float* row, int64_t depth, uint32_t* words) {
  for (int64_t k = 0; k < depth / 2; ++k) words[k] = bf16_pair(bits_of(row[2 * k]), bits_of(row[2 * k + 1]));
  if (depth % 2 != 0) words[depth / 2] = bf16_pair(bits_of(row[depth - 1]), uint32_t{0});
}

/// Two neighbours in depth of `count` outer elements, as words; `high` may be null, standing for zeros.
inline void pair_columns(const float* low, const float* high, int64_t count, uint32_t* words) {
  for (int64_t j = 0; j < count; ++j) words[j] = bf16_pair(bits_of(low[j]), high != nullptr ? bits_of(high[j]) : 0U);
}

/// A block of A, rows × depth, as words in `scratch` [rows * words], or where it is if nothing needs to change.
template <class P>
inline Left<P> stage(const MatrixView& a, int64_t row, int64_t rows, int64_t k, int64_t depth, std::vector<typename P::Word>& scratch) {
  const int64_t words = (depth + P::kPerWord - 1) / P::kPerWord;
  if (a.depth_contiguous) {
    const float* from = a.data + row * a.stride + k;
    if constexpr (std::is_same_v<P, Float32>) return {from, a.stride, 1};
    scratch.resize(static_cast<size_t>(rows * words));
    if constexpr (!std::is_same_v<P, Float32>) {
      for (int64_t i = 0; i < rows; ++i) pair_row(from + i * a.stride, depth, scratch.data() + i * words);
    }
    return {scratch.data(), words, 1};
  }
  scratch.resize(static_cast<size_t>(rows * words));
  for (int64_t w = 0; w < words; ++w) {
    const float* from = a.data + (k + w * P::kPerWord) * a.stride + row;
    if constexpr (std::is_same_v<P, Float32>) {
      std::copy(from, from + rows, scratch.data() + w * rows);
    } else {
      pair_columns(from, 2 * w + 1 < depth ? from + a.stride : nullptr, rows, scratch.data() + w * rows);
    }
  }
  return {scratch.data(), 1, rows};
}

/// Columns of B [depth, columns] as one panel [words, kPanel], filled up with zeros.
template <class P>
inline void pack_panel(const MatrixView& b, int64_t column, int64_t columns, int64_t k, int64_t depth, typename P::Word* panel) {
  const int64_t words = (depth + P::kPerWord - 1) / P::kPerWord;
  if (columns < kPanel) std::fill(panel, panel + words * kPanel, typename P::Word{});
  if (b.depth_contiguous) {
    uint32_t pairs[kDepthWords];
    for (int64_t j = 0; j < columns; ++j) {
      const float* from = b.data + (column + j) * b.stride + k;
      if constexpr (std::is_same_v<P, Float32>) {
        for (int64_t w = 0; w < words; ++w) panel[w * kPanel + j] = from[w];
      } else {
        pair_row(from, depth, pairs);
        for (int64_t w = 0; w < words; ++w) panel[w * kPanel + j] = pairs[w];
      }
    }
    return;
  }
  for (int64_t w = 0; w < words; ++w) {
    const float* from = b.data + (k + w * P::kPerWord) * b.stride + column;
    if constexpr (std::is_same_v<P, Float32>) {
      std::copy(from, from + columns, panel + w * kPanel);
    } else {
      pair_columns(from, 2 * w + 1 < depth ? from + b.stride : nullptr, columns, panel + w * kPanel);
    }
  }
}

/// Columns of B, packed panel by panel for each block of depth: block d, panel p begins at offset(d, p).
template <class P>
struct Packed {
  std::vector<typename P::Word> words;
  int64_t panels = 0, columns = 0, depth = 0;

  static constexpr int64_t kDepth = kDepthWords * P::kPerWord;

  /// `count` columns from `column` on, `deep` elements from `k` on.
  void pack(const MatrixView& b, int64_t column, int64_t count, int64_t k, int64_t deep) {
    columns = count;
    depth = deep;
    panels = (count + kPanel - 1) / kPanel;
    words.resize(static_cast<size_t>((depth + kDepth - 1) / kDepth * panels * kDepthWords * kPanel));
    for (int64_t d = 0; d < depth; d += kDepth) {
      for (int64_t p = 0; p < panels; ++p) {
        pack_panel<P>(b, column + p * kPanel, std::min(kPanel, count - p * kPanel), k + d, std::min(kDepth, depth - d),
                      words.data() + offset(d, p));
      }
    }
  }
  int64_t offset(int64_t d, int64_t p) const { return (d / kDepth * panels + p) * kDepthWords * kPanel; }
};

/// C [rows, b.columns] (+)= rows `row` … of A, from `first_depth` on, times the packed columns.
template <class P>
void multiply(const MatrixView& a, int64_t row, int64_t rows, int64_t first_depth, const Packed<P>& b, float* c, int64_t ldc,
              bool accumulate, std::vector<typename P::Word>& scratch) {
  for (int64_t i = 0; i < rows; i += kRowBlock) {
    const int64_t block = std::min(kRowBlock, rows - i);
    for (int64_t k = 0; k < b.depth; k += Packed<P>::kDepth) {
      const int64_t depth = std::min(Packed<P>::kDepth, b.depth - k), words = (depth + P::kPerWord - 1) / P::kPerWord;
      const Left<P> left = stage<P>(a, row + i, block, first_depth + k, depth, scratch);
      for (int64_t p = 0; p < b.panels; ++p) {
        const int64_t columns = std::min(kPanel, b.columns - p * kPanel);
        for (int64_t r = 0; r < block; r += kTileRows) {
          tile_of<P>(std::min<int64_t>(kTileRows, block - r), {left.data + r * left.row_stride, left.row_stride, left.k_stride},
                     b.words.data() + b.offset(k, p), words, c + (i + r) * ldc + p * kPanel, ldc, columns, accumulate || k > 0);
        }
      }
    }
  }
}

}  // namespace product
}  // namespace grpo::kernels::GRPO_ISA
