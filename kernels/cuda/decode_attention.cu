#include "../decode_cuda.h"
#include "async_copy.cuh"
#include "attention_tile.cuh"
#include "element.cuh"
#include "kv_cache.cuh"
#include "reduce.cuh"

namespace grpo::kernels {
namespace {

constexpr float kNever = -INFINITY;

/// Entries [begin, end) of a cache.
struct Range {
  int64_t begin, end;
};
__device__ __forceinline__ Range common(Range a, Range b) { return {max_of(a.begin, b.begin), min_of(a.end, b.end)}; }

// What a row sees of its prefix, or of its own positions.
__device__ __forceinline__ Range visible_range(const StepRow& row, const KvSequence& sequence, bool of_prefix, int64_t window) {
  const int64_t prefix = sequence.prefix_length, end = int64_t{row.position} + 1;
  const int64_t begin = window > 0 ? max_of<int64_t>(0, end - window) : 0;
  return of_prefix ? Range{begin, prefix} : Range{max_of<int64_t>(0, begin - prefix), end - prefix};
}

// Where a (row, head, piece) leaves its weighted sums, then maximum and sum.
__device__ __forceinline__ float* partial_of(const Attention& args, int64_t row, int64_t head, int64_t part) {
  const int64_t parts = args.prefix_pieces + args.own_pieces;
  return args.partial + ((row * args.heads + head) * parts + part) * (args.cache.stride + 2);
}

template <class T>
__host__ __device__ constexpr int columns_of(int64_t group) {
  return sizeof(T) == 2 ? 8 : static_cast<int>(group);
}

// The queries of a task's rows, beside zeros where a row has fewer heads than columns, or the head fewer dimensions than the stride.
template <class T>
__device__ void load_queries(const AttentionShared<T>& shared, const Attention& args, const AttentionTask& task, int64_t kv_head,
                             int columns) {
  const int64_t head_dim = args.cache.head_dim, group = args.heads / args.cache.kv_heads;
  const int64_t qkv_size = (args.heads + 2 * args.cache.kv_heads) * head_dim;
  for (int at = static_cast<int>(threadIdx.x); at < shared.queries * shared.out_stride; at += kAttentionThreads) {
    const int query = at / shared.out_stride, i = at % shared.out_stride, r = query / columns, head = query % columns;
    T value = from_float<T>(0.0F);
    if (r < task.count && head < group && i < head_dim) {
      value = static_cast<const T*>(args.qkv)[task.rows[r] * qkv_size + (kv_head * group + head) * head_dim + i];
    }
    shared.q[query * shared.stride + i] = value;
    shared.out[at] = 0.0F;
  }
  for (int query = static_cast<int>(threadIdx.x); query < shared.queries; query += kAttentionThreads) {
    shared.max[query] = kNever;
    shared.sum[query] = 0.0F;
  }
}

// Starts the copy of entries [first, first + tile), which are of one page, to a stage; zeros from `end` on.
template <class T>
__device__ void load_tile(const AttentionShared<T>& shared, int stage, const KvCache& cache, const KvSequence& sequence, int64_t kv_head,
                          int64_t first, int64_t end) {
  constexpr int kPerCopy = static_cast<int>(16 / sizeof(T));
  const T* keys = kv_row<T>(cache, sequence, KvPart::kKeys, kv_head, first);
  const T* values = kv_row<T>(cache, sequence, KvPart::kValues, kv_head, first);
  const int copies = shared.out_stride / kPerCopy;
  for (int at = static_cast<int>(threadIdx.x); at < shared.tile * copies; at += kAttentionThreads) {
    const int entry = at / copies, i = at % copies * kPerCopy;
    const int to = (stage * shared.tile + entry) * shared.stride + i;
    const bool valid = first + entry < end;
    const int64_t from = valid ? entry * shared.out_stride + i : 0;
    copy_async16(shared.keys + to, keys + from, valid);
    copy_async16(shared.values + to, values + from, valid);
  }
}

// Scores to weights, by a warp per query; keeps maximum and sum, and what earlier sums are worth under the new maximum.
template <class T>
__device__ void weigh(const AttentionShared<T>& shared, const Range* visible, int columns, int64_t first, float scale) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int query = warp; query < shared.queries; query += kAttentionWarps) {
    const float* scores = shared.scores + query * shared.score_stride;
    T* weights = shared.weights + query * shared.score_stride;
    const Range range = visible[query / columns];
    const auto score = [&](int entry) {
      const bool seen = first + entry >= range.begin && first + entry < range.end;
      return seen ? scores[entry] * scale : kNever;
    };
    const float before = shared.max[query];
    float max = before;
    for (int entry = lane; entry < shared.tile; entry += kWarp) max = max_of(max, score(entry));
    max = warp_reduce(max, Max());
    float sum = 0.0F;
    for (int entry = lane; entry < shared.tile; entry += kWarp) {
      const float weight = max == kNever ? 0.0F : expf(score(entry) - max);
      weights[entry] = from_float<T>(weight);
      sum += weight;
    }
    sum = warp_reduce(sum, Sum());
    if (lane == 0) {
      const float factor = max == kNever ? 1.0F : expf(before - max);
      shared.max[query] = max;
      shared.sum[query] = shared.sum[query] * factor + sum;
      shared.factor[query] = factor;
    }
  }
}

template <class T>
__device__ void store_partial(const AttentionShared<T>& shared, const Attention& args, const AttentionTask& task, const Range* visible,
                              Range piece, int64_t kv_head, int columns) {
  const int64_t head_dim = args.cache.head_dim, group = args.heads / args.cache.kv_heads;
  const int64_t part = blockIdx.z + (task.of_prefix != 0 ? 0 : args.prefix_pieces);
  for (int query = 0; query < shared.queries; ++query) {
    const int r = query / columns, head = query % columns;
    const Range mine = common(visible[r], piece);
    if (head >= group || mine.begin >= mine.end) continue;
    float* to = partial_of(args, task.rows[r], kv_head * group + head, part);
    for (int64_t i = threadIdx.x; i < head_dim; i += kAttentionThreads) to[i] = shared.out[query * shared.out_stride + i];
    if (threadIdx.x == 0) {
      to[shared.out_stride] = shared.max[query];
      to[shared.out_stride + 1] = shared.sum[query];
    }
  }
}

// What a task's rows need of a piece.
struct Need {
  Range range;
  int32_t of_row = -1;  // one whose sequence, or its prefix, the cache is; -1 = nothing is needed
};
__device__ Need need_of(const AttentionTask& task, const Range* visible, Range piece) {
  Need need{{piece.end, piece.begin}};
  for (int r = 0; r < task.count; ++r) {
    const Range mine = common(visible[r], piece);
    if (mine.begin >= mine.end) continue;
    need.range = {min_of(need.range.begin, mine.begin), max_of(need.range.end, mine.end)};
    need.of_row = task.rows[r];
  }
  return need;
}

// Block (task, kv head, piece): the task's rows over one piece of the cache they share. Pieces and tiles begin at fixed entries, so a row's
// sums do not depend on which rows share its task.
template <class T, int rows_of_task>
__global__ void attend(Attention args, const AttentionTask* tasks, const StepRow* rows, int tile) {
  GRPO_DYNAMIC_SHARED(unsigned char, memory);
  GRPO_SHARED(Range, visible, rows_of_task);
  const AttentionTask task = tasks[blockIdx.x];
  const int64_t kv_head = blockIdx.y;
  const int columns = columns_of<T>(args.heads / args.cache.kv_heads), self = static_cast<int>(threadIdx.x);
  if (self < rows_of_task) {
    const StepRow row = self < task.count ? rows[task.rows[self]] : StepRow();
    visible[self] = Range{0, 0};
    if (row.sequence >= 0) visible[self] = visible_range(row, args.cache.sequences[row.sequence], task.of_prefix != 0, args.window);
  }
  __syncthreads();
  const Range piece{blockIdx.z * args.piece, (blockIdx.z + 1) * args.piece};
  const Need need = need_of(task, visible, piece);
  if (need.of_row < 0) return;

  const AttentionShared<T> shared(tile, rows_of_task * columns, args.cache.stride, memory);
  const KvSequence own = args.cache.sequences[rows[need.of_row].sequence];
  const KvSequence sequence = task.of_prefix != 0 ? args.cache.sequences[own.prefix] : own;
  const int64_t begin = need.range.begin / tile * tile, end = need.range.end;
  load_tile(shared, 0, args.cache, sequence, kv_head, begin, end);
  commit_copies();
  load_queries(shared, args, task, kv_head, columns);
  int stage = 0;
  for (int64_t first = begin; first < end; first += tile, stage ^= 1) {
    if (first + tile < end) load_tile(shared, stage ^ 1, args.cache, sequence, kv_head, first + tile, end);
    commit_copies();
    wait_copies<1>();
    __syncthreads();  // this stage has arrived, and the queries the first time
    tile_scores(shared, shared.keys + stage * tile * shared.stride);
    __syncthreads();
    weigh(shared, visible, columns, first, args.scale);
    __syncthreads();
    tile_values(shared, shared.values + stage * tile * shared.stride);
    __syncthreads();  // the stage is free for the tile after next
  }
  store_partial(shared, args, task, visible, piece, kv_head, columns);
}

// One warp a (row, head): the pieces' sums under their common maximum.
template <class T>
__global__ void merge(Attention args, const StepRow* rows) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t head = int64_t{blockIdx.y} * kAttentionWarps + threadIdx.x / kWarp, head_dim = args.cache.head_dim;
  const StepRow row = rows[blockIdx.x];
  if (head >= args.heads || row.sequence < 0) return;
  const KvSequence sequence = args.cache.sequences[row.sequence];
  const int64_t stride = args.cache.stride;
  const auto for_parts = [&](const auto& work) {
    for (int own = 0; own < 2; ++own) {
      const Range range = visible_range(row, sequence, own == 0, args.window);
      for (int64_t piece = range.begin / args.piece; piece * args.piece < range.end && range.begin < range.end; ++piece) {
        work(partial_of(args, blockIdx.x, head, piece + (own == 0 ? 0 : args.prefix_pieces)));
      }
    }
  };
  float max = kNever, total = 0.0F;
  for_parts([&](const float* part) { max = max_of(max, part[stride]); });
  for_parts([&](const float* part) { total += part[stride + 1] * expf(part[stride] - max); });
  T* out = static_cast<T*>(args.out) + (blockIdx.x * args.heads + head) * head_dim;
  for (int64_t i = lane; i < head_dim; i += kWarp) {
    float sum = 0.0F;
    for_parts([&](const float* part) { sum += part[i] * expf(part[stride] - max); });
    out[i] = from_float<T>(sum / total);
  }
}

// The largest tile whose shared memory leaves room for two blocks on a multiprocessor, or else for one.
template <class T>
int choose_tile(int queries, int64_t stride) {
  constexpr size_t kHalf = size_t{112} << 10;
  int tile = kKvPage;
  while (tile > 16 && AttentionShared<T>::bytes(tile, queries, stride) > kHalf) tile /= 2;
  return tile;
}

template <class T, int rows_of_task>
void launch_attend(const Attention& args, const AttentionTask* tasks, int64_t count, int64_t pieces, const StepRow* rows,
                   CUstream_st* stream) {
  if (count == 0) return;
  const int64_t stride = args.cache.stride;
  const int queries = rows_of_task * columns_of<T>(args.heads / args.cache.kv_heads), tile = choose_tile<T>(queries, stride);
  const dim3 grid(static_cast<unsigned>(count), static_cast<unsigned>(args.cache.kv_heads), static_cast<unsigned>(pieces));
  launch(attend<T, rows_of_task>, grid, kAttentionThreads, AttentionShared<T>::bytes(tile, queries, stride), stream, args, tasks, rows,
         tile);
}

}  // namespace

void attention_cuda(const Attention& args, const StepRow* rows, int64_t n, Element element, CUstream_st* stream) {
  if (n == 0) return;
  for_element(element, [&](auto type) {
    using T = decltype(type);
    launch_attend<T, 1>(args, args.singles, args.single_count, args.own_pieces, rows, stream);
    launch_attend<T, kTaskRows>(args, args.shared, args.shared_count, max_of(args.prefix_pieces, args.own_pieces), rows, stream);
    const dim3 grid(static_cast<unsigned>(n), static_cast<unsigned>(div_up<int64_t>(args.heads, kAttentionWarps)));
    launch(merge<T>, grid, kAttentionThreads, 0, stream, args, rows);
  });
}

}  // namespace grpo::kernels
