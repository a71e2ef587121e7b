#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>
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
inline constexpr int kTileRows = 8, kVectors = 3;
#elif defined(__AVX2__)
inline constexpr int kTileRows = 6, kVectors = 2;
#else
inline constexpr int kTileRows = 4, kVectors = 2;
#endif
inline constexpr int64_t kPanel = kVectors * kLanes;           // columns of a register tile
inline constexpr int64_t kDepthWords = 128;                    // a panel of B this deep takes half of a first-level cache
inline constexpr int64_t kRowBlock = int64_t{kTileRows} * 12;  // rows of A that are worked through per panel

/// Memory that begins with a cache line: a load of a vector then touches one line.
template <class T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};
  LineAllocator() = default;
  template <class Other>
  LineAllocator(const LineAllocator<Other>& /*other*/) {}  // NOLINT(google-explicit-constructor): containers convert allocators
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kLine)); }
  void deallocate(T* p, size_t /*count*/) { ::operator delete(p, kLine); }
  bool operator==(const LineAllocator& /*other*/) const { return true; }
};
template <class T>
using LineVector = std::vector<T, LineAllocator<T>>;

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

/// What a precision says: its words, how one row or several columns of an operand become words, and the arithmetic on vectors of them.
struct Float32 {
  using Word = float;
  static constexpr int64_t kPerWord = 1;
  static constexpr bool kInPlace = true;  // words are what memory holds
  static void row(const float* from, int64_t depth, float* words) { std::copy(from, from + depth, words); }
  static void columns(const float* from, const float* /*next*/, int64_t count, float* words) {
    int64_t j = 0;
    for (; j + 2 * kLanes <= count; j += 2 * kLanes) {  // two at a time: for one the compiler would call memmove
      const Vector first = load(from + j), second = load(from + j + kLanes);
      store(words + j, first);
      store(words + j + kLanes, second);
    }
    for (; j < count; ++j) words[j] = from[j];
  }

  using Right = Vector;
  static Right load_right(const float* p) { return load(p); }
  static Vector spread(float x) { return x - Vector{}; }
  static void multiply_add(Vector& sum, const Vector& left, const Right& right) { sum += left * right; }
};

#if defined(__AVX512BF16__)
/// Two bf16 in a word, the lower half being the earlier one in depth.
struct Bfloat16 {
  using Word = uint32_t;
  static constexpr int64_t kPerWord = 2;
  static constexpr bool kInPlace = false;
  /// The last word of an odd depth is filled up with zero.
  static void row(const float* from, int64_t depth, uint32_t* words) {
    for (int64_t k = 0; k < depth / 2; ++k) words[k] = bf16_pair(bits_of(from[2 * k]), bits_of(from[2 * k + 1]));
    if (depth % 2 != 0) words[depth / 2] = bf16_pair(bits_of(from[depth - 1]), uint32_t{0});
  }
  /// `next` is one deeper; null stands for zeros.
  static void columns(const float* from, const float* next, int64_t count, uint32_t* words) {
    for (int64_t j = 0; j < count; ++j) words[j] = bf16_pair(bits_of(from[j]), next != nullptr ? bits_of(next[j]) : 0U);
  }

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
};
#else
/// A bf16 in a float: as fast as float32, and with its sums.
struct Bfloat16 : Float32 {
  static constexpr bool kInPlace = false;
  static void row(const float* from, int64_t depth, float* words) { columns(from, nullptr, depth, words); }
  static void columns(const float* from, const float* /*next*/, int64_t count, float* words) {
    for (int64_t j = 0; j < count; ++j) words[j] = std::bit_cast<float>(rounded_bits(bits_of(from[j])) & 0xFFFF0000U);
  }
};
#endif

/// Words of A: element (row, k) is data[row * row_stride + k * k_stride].
template <class P>
struct Left {
  const typename P::Word* data;
  int64_t row_stride, k_stride;
};

/// C [kRows, kCount vectors] (+)= A · the panel's first columns, beginning with C's value where `accumulate`.
template <class P, int kRows, int kCount>
inline void tile(const Left<P>& a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc, bool accumulate) {
  Vector sum[kRows][kCount] = {};
  if (accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kCount; ++j) sum[i][j] = load(c + i * ldc + j * kLanes);
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    typename P::Right right[kCount];
    for (int j = 0; j < kCount; ++j) right[j] = P::load_right(panel + k * kPanel + j * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const auto left = P::spread(a.data[i * a.row_stride + k * a.k_stride]);
      for (int j = 0; j < kCount; ++j) P::multiply_add(sum[i][j], left, right[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) store(c + i * ldc + j * kLanes, sum[i][j]);
  }
}

/// Up to kTileRows rows of whole vectors.
template <class P, int kCount, int kRows = kTileRows>
inline void tile_rows(int64_t rows, const Left<P>& a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc,
                      bool accumulate) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return tile_rows<P, kCount, kRows - 1>(rows, a, panel, depth, c, ldc, accumulate);
  }
  tile<P, kRows, kCount>(a, panel, depth, c, ldc, accumulate);
}

/// The panel's first `columns`, as few vectors of them as hold them all.
template <class P, int kCount = kVectors>
inline void tile_of(int64_t rows, const Left<P>& a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc, int64_t columns,
                    bool accumulate) {
  if constexpr (kCount > 1) {
    if (columns <= (kCount - 1) * kLanes) return tile_of<P, kCount - 1>(rows, a, panel, depth, c, ldc, columns, accumulate);
  }
  if (columns == kCount * kLanes) return tile_rows<P, kCount>(rows, a, panel, depth, c, ldc, accumulate);
  float edge[kTileRows][kCount * kLanes] = {};
  for (int64_t i = 0; i < rows && accumulate; ++i) std::copy(c + i * ldc, c + i * ldc + columns, edge[i]);
  tile_rows<P, kCount>(rows, a, panel, depth, edge[0], kCount * kLanes, accumulate);
  for (int64_t i = 0; i < rows; ++i) std::copy(edge[i], edge[i] + columns, c + i * ldc);
}

/// A block of A, rows × depth, as words in `scratch` [rows * words], or where it is if nothing needs to change.
template <class P>
inline Left<P> stage(const MatrixView& a, int64_t row, int64_t rows, int64_t k, int64_t depth, LineVector<typename P::Word>& scratch) {
  const int64_t words = (depth + P::kPerWord - 1) / P::kPerWord;
  if (a.depth_contiguous) {
    const float* from = a.data + row * a.stride + k;
    if constexpr (P::kInPlace) {
      return {from, a.stride, 1};
    } else {
      scratch.resize(static_cast<size_t>(rows * words));
      for (int64_t i = 0; i < rows; ++i) P::row(from + i * a.stride, depth, scratch.data() + i * words);
      return {scratch.data(), words, 1};
    }
  }
  scratch.resize(static_cast<size_t>(rows * words));
  for (int64_t w = 0; w < words; ++w) {
    const int64_t at = w * P::kPerWord;
    const float* from = a.data + (k + at) * a.stride + row;
    P::columns(from, at + 1 < depth ? from + a.stride : nullptr, rows, scratch.data() + w * rows);
  }
  return {scratch.data(), 1, rows};
}

/// Columns of B [depth, columns] as one panel [words, kPanel], filled up with zeros.
template <class P>
inline void pack_panel(const MatrixView& b, int64_t column, int64_t columns, int64_t k, int64_t depth, typename P::Word* panel) {
  const int64_t words = (depth + P::kPerWord - 1) / P::kPerWord;
  if (columns < kPanel) std::fill(panel, panel + words * kPanel, typename P::Word{});
  if (b.depth_contiguous) {
    typename P::Word row[kDepthWords];
    for (int64_t j = 0; j < columns; ++j) {
      P::row(b.data + (column + j) * b.stride + k, depth, row);
      for (int64_t w = 0; w < words; ++w) panel[w * kPanel + j] = row[w];
    }
    return;
  }
  for (int64_t w = 0; w < words; ++w) {
    const int64_t at = w * P::kPerWord;
    const float* from = b.data + (k + at) * b.stride + column;
    P::columns(from, at + 1 < depth ? from + b.stride : nullptr, columns, panel + w * kPanel);
  }
}

/// Columns of B, packed panel by panel for each block of depth: block d, panel p begins at offset(d, p).
template <class P>
struct Packed {
  LineVector<typename P::Word> words;
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
              bool accumulate, LineVector<typename P::Word>& scratch) {
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
