#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

constexpr int kVectors = kTileColumns / kLanes;

/// Whether sums are chains of multiply-adds in fp32, which may begin with a value of their own.
template <class Dot>
constexpr bool kChained = std::is_same_v<typename Dot::Sum, Vector>;

// A tile's sums over the whole depth, as fp32. Chains begin with the rows of `start` where it is given.
template <class Dot, int kRows>
inline void sums_of(const LinearPanel& panel, const InputRows& x, int64_t first, Prefetch prefetch, const RowBlock* start,
                    Vector (&out)[kRows][kVectors]) {
  typename Dot::Sum sum[kRows][kVectors] = {};
  if constexpr (kChained<Dot>) {
    if (start != nullptr) {
      for (int i = 0; i < kRows; ++i) {
        for (int j = 0; j < kVectors; ++j) sum[i][j] = load(start->data + (first + i) * start->stride + j * kLanes);
      }
    }
  }
  const auto* rows = reinterpret_cast<const typename Dot::Input*>(x.words + first * x.stride);
  dot_tile<Dot, 1>(rows, x.stride / kInputWords<Dot>, reinterpret_cast<const typename Dot::Weight*>(panel.weight), kTileColumns,
                   panel.words, prefetch, sum);
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) {
      if constexpr (!kChained<Dot>) {
        const RowScale& row = x.scales[first + i];
        out[i][j] = __builtin_convertvector(sum[i][j] - row.offset, Vector) * (row.scale * load(panel.scale + j * kLanes));
      } else {
        out[i][j] = sum[i][j];
      }
      if (panel.bias != nullptr) out[i][j] += load(panel.bias + j * kLanes);
    }
  }
}

// Calls store(row, its kVectors vectors) for every row. The tiles ask for equal parts of what is read next.
template <class Dot, class Store>
inline void for_row_sums(const LinearPanel& panel, const InputRows& x, int64_t rows, const RowBlock* start, const Store& store_row) {
  const int64_t tiles = (rows + Dot::kRows - 1) / Dot::kRows, word_bytes = kTileColumns * static_cast<int64_t>(sizeof(uint32_t));
  const int64_t step = panel.next != nullptr ? word_bytes / (tiles > 0 ? tiles : 1) : 0;
  const auto* from = reinterpret_cast<const char*>(panel.next != nullptr ? panel.next : panel.weight);
  for_row_tiles<Dot::kRows>(rows, [&]<int kRows>(int64_t first) {
    Vector out[kRows][kVectors];
    sums_of<Dot, kRows>(panel, x, first, {from + first / Dot::kRows * step * panel.words, step}, start, out);
    for (int i = 0; i < kRows; ++i) store_row(first + i, out[i]);
  });
}

}  // namespace

template <class Dot>
void decode_linear(const LinearPanel& panel, InputRows x, RowBlock y, int64_t rows, bool accumulate) {
  const bool add_after = accumulate && !kChained<Dot>;
  for_row_sums<Dot>(panel, x, rows, accumulate && !add_after ? &y : nullptr, [&](int64_t r, const Vector* sums) {
    float* out = y.data + r * y.stride;
    for (int j = 0; j < kVectors; ++j) store(out + j * kLanes, add_after ? load(out + j * kLanes) + sums[j] : sums[j]);
  });
}

template <class Dot>
void decode_linear_swiglu(const LinearPanel& panel, InputRows x, RowBlock y, int64_t rows) {
  static_assert(kVectors == 2, "a vector of gates, a vector of ups");
  for_row_sums<Dot>(panel, x, rows, nullptr, [&](int64_t r, const Vector* sums) {
    const Vector& gate = sums[0];
    store(y.data + r * y.stride, gate / (1.0F + exp_lanes(-gate)) * sums[1]);
  });
}

template void decode_linear<FloatDot>(const LinearPanel&, InputRows, RowBlock, int64_t, bool);
template void decode_linear<Bfloat16Dot>(const LinearPanel&, InputRows, RowBlock, int64_t, bool);
template void decode_linear<Int8Dot>(const LinearPanel&, InputRows, RowBlock, int64_t, bool);
template void decode_linear_swiglu<FloatDot>(const LinearPanel&, InputRows, RowBlock, int64_t);
template void decode_linear_swiglu<Bfloat16Dot>(const LinearPanel&, InputRows, RowBlock, int64_t);
template void decode_linear_swiglu<Int8Dot>(const LinearPanel&, InputRows, RowBlock, int64_t);

}  // namespace grpo::kernels::GRPO_ISA
