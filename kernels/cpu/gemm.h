#pragma once

#include <cstdint>

#include "cpu/dot.h"

// A small matrix product for panels that fit the cache. Every output is one chain of fused multiply-adds over k in ascending order,
// whatever the tile it falls into: results do not depend on how many rows or columns are computed together.
namespace grpo::kernels::GRPO_ISA {

/// Columns of a full register tile.
inline constexpr int64_t kTileColumns = 2 * kLanes;

/// A [rows, k] with arbitrary strides; only single elements of it are read.
struct Strided {
  const float* data;
  int64_t row_stride, k_stride;
};

template <int kRows, int kVectors>
inline void gemm_tile(Strided a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t depth, bool accumulate) {
  Vector sum[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = accumulate ? load(c + i * ldc + j * kLanes) : Vector{};
  }
#pragma GCC unroll 2
  for (int64_t k = 0; k < depth; ++k) {
    Vector right[kVectors];
    for (int j = 0; j < kVectors; ++j) right[j] = load(b + k * ldb + j * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const float left = a.data[i * a.row_stride + k * a.k_stride];
      for (int j = 0; j < kVectors; ++j) sum[i][j] = multiply_add(left - Vector{}, right[j], sum[i][j]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) store(c + i * ldc + j * kLanes, sum[i][j]);
  }
}

/// Columns that do not fill a vector.
inline void gemm_edge(Strided a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t columns, int64_t depth,
                      bool accumulate) {
  for (int64_t i = 0; i < rows; ++i) {
    float sum[kLanes];
    for (int64_t j = 0; j < columns; ++j) sum[j] = accumulate ? c[i * ldc + j] : 0.0F;
    for (int64_t k = 0; k < depth; ++k) {
      const float left = a.data[i * a.row_stride + k * a.k_stride];
      for (int64_t j = 0; j < columns; ++j) sum[j] = multiply_add(left, b[k * ldb + j], sum[j]);
    }
    for (int64_t j = 0; j < columns; ++j) c[i * ldc + j] = sum[j];
  }
}

template <int kVectors>
inline void gemm_rows(Strided a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t depth, bool accumulate) {
  for_row_tiles<kTileRows>(rows, [&]<int kRows>(int64_t first) {
    gemm_tile<kRows, kVectors>({a.data + first * a.row_stride, a.row_stride, a.k_stride}, b, ldb, c + first * ldc, ldc, depth, accumulate);
  });
}

/// C [rows, columns] (+)= A [rows, depth] · B [depth, columns]; B and C row major with leading dimensions ldb and ldc.
inline void gemm(Strided a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t columns, int64_t depth,
                 bool accumulate) {
  int64_t j = 0;
  for (; j + kTileColumns <= columns; j += kTileColumns) gemm_rows<2>(a, b + j, ldb, c + j, ldc, rows, depth, accumulate);
  for (; j + kLanes <= columns; j += kLanes) gemm_rows<1>(a, b + j, ldb, c + j, ldc, rows, depth, accumulate);
  if (j < columns) gemm_edge(a, b + j, ldb, c + j, ldc, rows, columns - j, depth, accumulate);
}

}  // namespace grpo::kernels::GRPO_ISA
