#pragma once

#include "train_kernels.cuh"

// Tiles of 32 rows of one head in shared memory, as fp32. Eight neighbouring threads work on a row of the block's own tile: each on every
// eighth row of the other tile, and on every eighth column of the results.
namespace grpo::kernels {

inline constexpr int kTile = 32;
inline constexpr int kParts = 8;
inline constexpr int kAttentionThreads = kTile * kParts;
inline constexpr int kPartRows = kTile / kParts;  // of the other tile

/// Floats of a tile: rows are padded, so that threads which read different rows use different banks.
__host__ __device__ constexpr int64_t tile_floats(int64_t dim) { return kTile * (dim + 1); }
/// Floats of the weights between two tiles.
inline constexpr int kWeightStride = kTile + 1;
inline constexpr int64_t kWeightFloats = kTile * kWeightStride;

/// Keys of a segment, numbered: first the rows of its prefix, then its own.
struct SegmentKeys {
  int64_t prefix, own;  // counts
  int64_t prefix_begin, begin;

  __device__ explicit SegmentKeys(const AttentionSegment& s)
      : prefix(s.prefix_end - s.prefix_begin), own(s.end - s.begin), prefix_begin(s.prefix_begin), begin(s.begin) {}
  __device__ int64_t row(int64_t key) const { return key < prefix ? prefix_begin + key : begin + key - prefix; }
  /// The keys that the segment's row `query` sees, [first, end). A row beyond the segment sees none.
  __device__ int64_t end(int64_t query) const { return query < own ? prefix + query + 1 : 0; }
  __device__ int64_t first(int64_t query, int64_t window) const { return window > 0 ? max_of<int64_t>(prefix + query + 1 - window, 0) : 0; }
};

/// One head's rows in memory.
template <class T>
struct HeadRows {
  const T* data;
  int64_t stride;
};

/// A tile of rows row_of(0), … row_of(count - 1) with zeros beyond. All threads of the block; a barrier is the caller's.
template <class T, class RowOf>
__device__ void load_tile(float* tile, const HeadRows<T>& head, int64_t dim, int64_t count, const RowOf& row_of) {
  for (int64_t i = threadIdx.x; i < kTile * dim; i += kAttentionThreads) {
    const int64_t r = i / dim, c = i % dim;
    tile[r * (dim + 1) + c] = r < count ? to_float(head.data[row_of(r) * head.stride + c]) : 0.0F;
  }
}

/// dots[u] = a · row (part + 8 u) of the tile.
__device__ __forceinline__ void dot_rows(const float* a, const float* tile, int64_t dim, int part, float (&dots)[kPartRows]) {
  for (float& dot : dots) dot = 0.0F;
  const float* b = tile + part * (dim + 1);
  for (int64_t j = 0; j < dim; ++j) {
    const float value = a[j];
    for (int u = 0; u < kPartRows; ++u) dots[u] += value * b[u * kParts * (dim + 1) + j];
  }
}

/// sums[i] += column (part + 8 i) of weights [32] · tile.
template <int columns>
__device__ __forceinline__ void add_weighted_rows(const float* weights, const float* tile, int64_t dim, int part, float (&sums)[columns]) {
  for (int r = 0; r < kTile; ++r) {
    const float weight = weights[r];
    const float* from = tile + r * (dim + 1);
    for (int i = 0; i < columns; ++i) {
      if (part + kParts * i < dim) sums[i] += weight * from[part + kParts * i];
    }
  }
}

template <class T, int columns>
__device__ __forceinline__ void store_row(T* to, const float (&sums)[columns], float factor, int64_t dim, int part) {
  for (int i = 0; i < columns; ++i) {
    if (part + kParts * i < dim) to[part + kParts * i] = from_float<T>(sums[i] * factor);
  }
}

}  // namespace grpo::kernels
