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

inline constexpr int kVectors = kLanes == 16 ? 3 : 2;
inline constexpr int64_t kPanel = kVectors * kLanes;  // columns of a register tile
// A panel of B and a block of A share a first-level cache.
inline constexpr int64_t kDepthWords = kLanes == 16 ? 128 : 256, kRowBlock = int64_t{4} * kTileRows;
static_assert(kDepthWords % kLanes == 0 && kRowBlock % kLanes == 0, "words are stored a vector at a time");

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

inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

template <class Word>
inline void store_words(Word* p, const Vector& words) {
  std::memcpy(p, &words, sizeof words);
}

/// What a precision says: its words, how neighbours in depth or in columns become a vector of them, and the arithmetic on such vectors.
struct Float32 {
  using Word = float;
  static constexpr int64_t kPerWord = 1;
  static Vector neighbours(const float* from) { return load(from); }  // reads kLanes * kPerWord floats
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
  static void add(Vector& sum, const Vector& left, const Right& right) { sum = multiply_add(left, right, sum); }
};

#if defined(__AVX512BF16__)
/// Two bf16 in a word, the lower half being the earlier one in depth.
struct Bfloat16 {
  using Word = uint32_t;
  static constexpr int64_t kPerWord = 2;
  typedef uint16_t Halves __attribute__((vector_size(2 * kLanes * sizeof(uint16_t))));
  static Halves rounded(const Vector& first, const Vector& second) {
    return std::bit_cast<Halves>(_mm512_cvtne2ps_pbh(std::bit_cast<__m512>(second), std::bit_cast<__m512>(first)));
  }
  template <int... kHalf>
  static Vector interleaved(const Halves& halves, std::integer_sequence<int, kHalf...> /*halves*/) {
    return std::bit_cast<Vector>(__builtin_shufflevector(halves, halves, (kHalf / 2 + kHalf % 2 * kLanes)...));
  }
  static Vector neighbours(const float* from) { return std::bit_cast<Vector>(rounded(load(from), load(from + kLanes))); }
  /// `next` is one deeper; null stands for zeros. Whole vectors of words are written.
  static void columns(const float* from, const float* next, int64_t count, uint32_t* words) {
    for (int64_t j = 0; j < count; j += kLanes) {
      const int64_t some = std::min<int64_t>(kLanes, count - j);
      const Halves halves = rounded(load_some(from + j, some), next != nullptr ? load_some(next + j, some) : Vector{});
      store_words(words + j, interleaved(halves, std::make_integer_sequence<int, 2 * kLanes>()));
    }
  }

  using Right = WordVector;
  static Right load_right(const uint32_t* p) { return load_words(p); }
  static Right spread(uint32_t x) { return all(x); }
  static void add(Vector& sum, const Right& left, const Right& right) {
    sum =
        std::bit_cast<Vector>(_mm512_dpbf16_ps(std::bit_cast<__m512>(sum), std::bit_cast<__m512bh>(left), std::bit_cast<__m512bh>(right)));
  }
};
#else
/// A bf16 in a float: as fast as float32, and with its sums.
struct Bfloat16 : Float32 {
  /// To nearest, ties to even; NaN stays NaN. T: a float's bits or a vector of them.
  template <class T>
  static T rounded(const T& bits) {
    const T nearest = bits + 0x7FFFU + ((bits >> 16) & 1U);
    return ((bits & 0x7FFFFFFFU) > 0x7F800000U ? bits | 0x00400000U : nearest) & 0xFFFF0000U;
  }
  static Vector neighbours(const float* from) { return as_floats(rounded(std::bit_cast<WordVector>(load(from)))); }
  static void columns(const float* from, const float* /*next*/, int64_t count, float* words) {
    for (int64_t j = 0; j < count; ++j) words[j] = std::bit_cast<float>(rounded(std::bit_cast<uint32_t>(from[j])));
  }
};
#endif

/// The first of a row's words, of at most kLanes that `depth` elements fill; the others are zero.
template <class P>
inline Vector row_words(const float* from, int64_t depth) {
  constexpr int64_t kWhole = kLanes * P::kPerWord;
  if (depth >= kWhole) return P::neighbours(from);
  float some[kWhole] = {};
  std::copy(from, from + depth, some);
  return P::neighbours(some);
}

/// How a block of A lies as words: each row's depth together, kDepthWords apart, or the rows of each depth, kRowBlock apart.
enum class BlockOrder { kByRow, kByDepth };
template <BlockOrder kOrder>
inline constexpr int64_t row_step = kOrder == BlockOrder::kByRow ? kDepthWords : 1;

/// C [kRows, kCount vectors] (+)= A's tile · the panel's first columns, beginning with C's value where `accumulate`.
template <class P, BlockOrder kOrder, int kRows, int kCount>
inline void tile(const typename P::Word* a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc, bool accumulate) {
  constexpr int64_t kRowStep = row_step<kOrder>, kDepthStep = kOrder == BlockOrder::kByRow ? 1 : kRowBlock;
  Vector sum[kRows][kCount] = {};
  if (accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kCount; ++j) sum[i][j] = load(c + i * ldc + j * kLanes);
    }
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
    typename P::Right right[kCount];
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) right[j] = P::load_right(panel + k * kPanel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const auto left = P::spread(a[i * kRowStep + k * kDepthStep]);
#pragma GCC unroll 4
      for (int j = 0; j < kCount; ++j) P::add(sum[i][j], left, right[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) store(c + i * ldc + j * kLanes, sum[i][j]);
  }
}

/// Up to kTileRows rows of whole vectors.
template <class P, BlockOrder kOrder, int kCount, int kRows = kTileRows>
inline void tile_rows(int64_t rows, const typename P::Word* a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc,
                      bool accumulate) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return tile_rows<P, kOrder, kCount, kRows - 1>(rows, a, panel, depth, c, ldc, accumulate);
  }
  tile<P, kOrder, kRows, kCount>(a, panel, depth, c, ldc, accumulate);
}

/// The panel's first `columns`, as few vectors of them as hold them all.
template <class P, BlockOrder kOrder, int kCount = kVectors>
inline void tile_of(int64_t rows, const typename P::Word* a, const typename P::Word* panel, int64_t depth, float* c, int64_t ldc,
                    int64_t columns, bool accumulate) {
  if constexpr (kCount > 1) {
    if (columns <= (kCount - 1) * kLanes) return tile_of<P, kOrder, kCount - 1>(rows, a, panel, depth, c, ldc, columns, accumulate);
  }
  if (columns == kCount * kLanes) return tile_rows<P, kOrder, kCount>(rows, a, panel, depth, c, ldc, accumulate);
  float edge[kTileRows][kCount * kLanes] = {};
  for (int64_t i = 0; i < rows && accumulate; ++i) std::copy(c + i * ldc, c + i * ldc + columns, edge[i]);
  tile_rows<P, kOrder, kCount>(rows, a, panel, depth, edge[0], kCount * kLanes, accumulate);
  for (int64_t i = 0; i < rows; ++i) std::copy(edge[i], edge[i] + columns, c + i * ldc);
}

/// At most kRowBlock rows and kDepthWords words of A.
template <class P>
inline void stage(const MatrixView& a, int64_t row, int64_t rows, int64_t k, int64_t depth, typename P::Word* block) {
  if (a.depth_contiguous) {
    for (int64_t i = 0; i < rows; ++i) {
      const float* from = a.data + (row + i) * a.stride + k;
      for (int64_t w = 0; w * P::kPerWord < depth; w += kLanes) {
        store_words(block + i * kDepthWords + w, row_words<P>(from + w * P::kPerWord, depth - w * P::kPerWord));
      }
    }
    return;
  }
  for (int64_t at = 0; at < depth; at += P::kPerWord) {
    const float* from = a.data + (k + at) * a.stride + row;
    P::columns(from, at + 1 < depth ? from + a.stride : nullptr, rows, block + at / P::kPerWord * kRowBlock);
  }
}

/// Columns of B [depth, columns] as one panel [words, kPanel]. What lies beyond the last column is any number.
template <class P>
inline void pack_panel(const MatrixView& b, int64_t column, int64_t columns, int64_t k, int64_t depth, typename P::Word* panel) {
  if (b.depth_contiguous) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      const float* from = b.data + (column + j) * b.stride + k;
      for (int64_t w = 0; w * P::kPerWord < depth; w += kLanes) {
        Vector words[kLanes];
#pragma GCC unroll 16
        for (int64_t i = 0; i < kLanes; ++i) {
          words[i] = j + i < columns ? row_words<P>(from + i * b.stride + w * P::kPerWord, depth - w * P::kPerWord) : Vector{};
        }
        transpose(words);
        for (int64_t i = 0; i < kLanes; ++i) store_words(panel + (w + i) * kPanel + j, words[i]);
      }
    }
    return;
  }
  for (int64_t at = 0; at < depth; at += P::kPerWord) {
    const float* from = b.data + (k + at) * b.stride + column;
    P::columns(from, at + 1 < depth ? from + b.stride : nullptr, columns, panel + at / P::kPerWord * kPanel);
  }
}

/// Columns of B, packed panel by panel for each block of depth, which begins at offset(d).
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
                      words.data() + offset(d) + p * kDepthWords * kPanel);
      }
    }
  }
  int64_t offset(int64_t d) const { return d / kDepth * panels * kDepthWords * kPanel; }
};

/// C [rows, columns] (+)= a staged block of A times panels of B. What a tile meets of C is asked for a tile before.
template <class P, BlockOrder kOrder>
void multiply_block(const typename P::Word* a, int64_t rows, const typename P::Word* panel, int64_t columns, int64_t words, float* c,
                    int64_t ldc, bool accumulate) {
  for (int64_t j = 0; j < columns; j += kPanel, panel += kDepthWords * kPanel) {
    for (int64_t r = 0; r < rows; r += kTileRows) {
      for (int64_t i = r + kTileRows; i < std::min(rows, r + 2 * kTileRows); ++i) __builtin_prefetch(c + i * ldc + j, 1);
      tile_of<P, kOrder>(std::min<int64_t>(kTileRows, rows - r), a + r * row_step<kOrder>, panel, words, c + r * ldc + j, ldc,
                         std::min(kPanel, columns - j), accumulate);
    }
  }
}

/// C [rows, b.columns] (+)= rows `row` … of A, from `first_depth` on, times the packed columns.
template <class P>
void multiply(const MatrixView& a, int64_t row, int64_t rows, int64_t first_depth, const Packed<P>& b, float* c, int64_t ldc,
              bool accumulate, LineVector<typename P::Word>& scratch) {
  scratch.resize(static_cast<size_t>(kRowBlock * kDepthWords));
  const auto multiply_staged = a.depth_contiguous ? multiply_block<P, BlockOrder::kByRow> : multiply_block<P, BlockOrder::kByDepth>;
  for (int64_t i = 0; i < rows; i += kRowBlock) {
    const int64_t block = std::min(kRowBlock, rows - i);
    for (int64_t k = 0; k < b.depth; k += Packed<P>::kDepth) {
      const int64_t depth = std::min(Packed<P>::kDepth, b.depth - k), words = (depth + P::kPerWord - 1) / P::kPerWord;
      stage<P>(a, row + i, block, first_depth + k, depth, scratch.data());
      multiply_staged(scratch.data(), block, b.words.data() + b.offset(k), b.columns, words, c + i * ldc, ldc, accumulate || k > 0);
    }
  }
}

}  // namespace product
}  // namespace grpo::kernels::GRPO_ISA
