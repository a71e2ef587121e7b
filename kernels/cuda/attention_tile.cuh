#pragma once

#include "mma.cuh"
#include "runtime.cuh"

// The two products of decode attention over one tile of keys and values in shared memory: on tensor cores for bf16, by multiply-adds for
// fp32. A task's queries are `columns` per row: the query heads of one kv head, for tensor cores filled up to 8 with zeros.
namespace grpo::kernels {

inline constexpr int kAttentionThreads = 128;
inline constexpr int kAttentionWarps = kAttentionThreads / kWarp;

/// Shared memory of a block, in the order of the members from `keys` on.
template <class T>
struct AttentionShared {
  int tile, queries;
  int stride;                 // of keys, values and queries: KvCache::stride and 16 bytes, so that a fragment's rows lie in different banks
  int score_stride;           // of scores and weights
  int out_stride;             // of out: KvCache::stride
  T *keys, *values;           // [2 stages, tile, stride] each
  T* q;                       // [queries, stride]
  T* weights;                 // [queries, score_stride]: exp(score - max)
  float* scores;              // [queries, score_stride]
  float* out;                 // [queries, out_stride]: weighted sums of values
  float *max, *sum, *factor;  // [queries]: so far; what `out` is to be multiplied by

  __host__ __device__ AttentionShared(int tile_entries, int query_count, int64_t kv_row, unsigned char* memory)
      : tile(tile_entries),
        queries(query_count),
        stride(static_cast<int>(kv_row) + static_cast<int>(16 / sizeof(T))),
        score_stride(tile_entries + 8),
        out_stride(static_cast<int>(kv_row)),
        keys(reinterpret_cast<T*>(memory)),
        values(keys + 2 * tile * stride),
        q(values + 2 * tile * stride),
        weights(q + queries * stride),
        scores(reinterpret_cast<float*>(weights + queries * score_stride)),
        out(scores + queries * score_stride),
        max(out + queries * out_stride),
        sum(max + queries),
        factor(sum + queries) {}
  __host__ __device__ static size_t bytes(int tile, int queries, int64_t kv_row) {
    constexpr size_t kSomewhere = 256;
    const AttentionShared layout(tile, queries, kv_row, reinterpret_cast<unsigned char*>(kSomewhere));
    return reinterpret_cast<size_t>(layout.factor + queries) - kSomewhere;
  }
};

/// scores = q · keys of a stage.
inline __device__ void tile_scores(const AttentionShared<float>& shared, const float* keys) {
  for (int at = static_cast<int>(threadIdx.x); at < shared.queries * shared.tile; at += kAttentionThreads) {
    const int query = at / shared.tile, entry = at % shared.tile;
    const float *q = shared.q + query * shared.stride, *key = keys + entry * shared.stride;
    float sum = 0.0F;
    for (int i = 0; i < shared.out_stride; ++i) sum += q[i] * key[i];
    shared.scores[query * shared.score_stride + entry] = sum;
  }
}

/// out = factor out + weights · values of a stage.
inline __device__ void tile_values(const AttentionShared<float>& shared, const float* values) {
  for (int at = static_cast<int>(threadIdx.x); at < shared.queries * shared.out_stride; at += kAttentionThreads) {
    const int query = at / shared.out_stride, i = at % shared.out_stride;
    const float* weights = shared.weights + query * shared.score_stride;
    float sum = shared.out[at] * shared.factor[query];
    for (int entry = 0; entry < shared.tile; ++entry) sum += weights[entry] * values[entry * shared.stride + i];
    shared.out[at] = sum;
  }
}

__device__ __forceinline__ uint32_t load_pair(const bf16* pair) { return *reinterpret_cast<const uint32_t*>(pair); }

/// 16 keys by 8 queries at a time, a warp each.
inline __device__ void tile_scores(const AttentionShared<bf16>& shared, const bf16* keys) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp, g = lane / 4, t = lane % 4;
  const int key_tiles = shared.tile / 16, tiles = key_tiles * (shared.queries / 8);
  for (int at = warp; at < tiles; at += kAttentionWarps) {
    const int first_key = at % key_tiles * 16, first_query = at / key_tiles * 8;
    MmaC sum{{0.0F, 0.0F, 0.0F, 0.0F}};
    for (int depth = 2 * t; depth < shared.out_stride; depth += 16) {
      const bf16 *key = keys + (first_key + g) * shared.stride + depth, *key8 = key + 8 * shared.stride;
      const bf16* q = shared.q + (first_query + g) * shared.stride + depth;
      const MmaA a{{load_pair(key), load_pair(key8), load_pair(key + 8), load_pair(key8 + 8)}};
      const MmaB b{{load_pair(q), load_pair(q + 8)}};
      mma_m16n8k16(sum, a, b);
    }
    float* scores = shared.scores + (first_query + 2 * t) * shared.score_stride + first_key + g;
    for (int i = 0; i < 4; ++i) scores[i % 2 * shared.score_stride + i / 2 * 8] = sum.r[i];
  }
}

/// 16 dimensions by 8 queries at a time, a warp each.
inline __device__ void tile_values(const AttentionShared<bf16>& shared, const bf16* values) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp, g = lane / 4, t = lane % 4;
  const int dim_tiles = shared.out_stride / 16, tiles = dim_tiles * (shared.queries / 8);
  for (int at = warp; at < tiles; at += kAttentionWarps) {
    const int dim = at % dim_tiles * 16 + g, first_query = at / dim_tiles * 8;
    float* out = shared.out + (first_query + 2 * t) * shared.out_stride + dim;
    MmaC sum;
    for (int i = 0; i < 4; ++i) sum.r[i] = out[i % 2 * shared.out_stride + i / 2 * 8] * shared.factor[first_query + 2 * t + i % 2];
    for (int entry = 2 * t; entry < shared.tile; entry += 16) {
      const bf16 *value = values + entry * shared.stride + dim, *value8 = value + 8 * shared.stride;
      const bf16* weight = shared.weights + (first_query + g) * shared.score_stride + entry;
      const MmaA a{{pack_bf16(value[0], value[shared.stride]), pack_bf16(value[8], value[shared.stride + 8]),
                    pack_bf16(value8[0], value8[shared.stride]), pack_bf16(value8[8], value8[shared.stride + 8])}};
      const MmaB b{{load_pair(weight), load_pair(weight + 8)}};
      mma_m16n8k16(sum, a, b);
    }
    for (int i = 0; i < 4; ++i) out[i % 2 * shared.out_stride + i / 2 * 8] = sum.r[i];
  }
}

}  // namespace grpo::kernels
