#include <type_traits>

#include "reduce.cuh"
#include "train_attention_tile.cuh"

// Exact attention over packed segments with an online softmax, and its backward from the kept log-sum-exp (Dao, "FlashAttention-2",
// Algorithms 1 and 2), without atomics: queries' gradients and keys' gradients have a kernel each, so that every sum has one owner.
namespace grpo::kernels {
namespace {

constexpr float kLowest = -3.4e38F;  // finite: differences of two are no NaN

/// Strides and places of heads within a row of qkv.
struct Heads {
  int64_t dim, row, key, value, out_row;

  __device__ Heads(const PackedAttention& args, int64_t kv_head)
      : dim(args.head_dim),
        row((args.heads + 2 * args.kv_heads) * dim),
        key((args.heads + kv_head) * dim),
        value(key + args.kv_heads * dim),
        out_row(args.heads * dim) {}
};

template <class Operation>
__device__ __forceinline__ float reduce_parts(float value, Operation operation) {
  for (int lanes = kParts / 2; lanes > 0; lanes /= 2) value = operation(value, __shfl_xor_sync(kFullWarp, value, lanes));
  return value;
}

/// A tile of queries of one segment, or of its own keys: block x is the place, segments are `longest` rows apart.
struct Place {
  int64_t segment, first;
};
__device__ Place place_of(int64_t longest) {
  const int64_t tiles = div_up<int64_t>(longest, kTile);
  return {blockIdx.x / tiles, blockIdx.x % tiles * kTile};
}

/// One row's running softmax over tiles of keys, shared by its eight threads.
struct RowSoftmax {
  float max = kLowest, sum = 0.0F;

  /// Scores become weights relative to the new maximum; the factor for what was summed before is returned.
  __device__ float add(float (&scores)[kPartRows], const bool (&visible)[kPartRows]) {
    float top = max;
    for (int u = 0; u < kPartRows; ++u) top = visible[u] ? max_of(top, scores[u]) : top;
    top = reduce_parts(top, Max());
    float added = 0.0F;
    for (int u = 0; u < kPartRows; ++u) {
      scores[u] = visible[u] ? expf(scores[u] - top) : 0.0F;
      added += scores[u];
    }
    const float factor = expf(max - top);
    sum = sum * factor + reduce_parts(added, Sum());
    max = top;
    return factor;
  }
};

template <class T, int columns>
__global__ void attention(PackedAttention args) {
  const Place place = place_of(args.longest);
  const SegmentKeys keys(args.segments[place.segment]);
  if (place.first >= keys.own) return;
  const int64_t head = blockIdx.y, dim = args.head_dim;
  const Heads at(args, head / (args.heads / args.kv_heads));
  GRPO_DYNAMIC_SHARED(float, all_weights);
  float *queries = all_weights + kWeightFloats, *key_tile = queries + tile_floats(dim), *value_tile = key_tile + tile_floats(dim);
  const int row = static_cast<int>(threadIdx.x) / kParts, part = static_cast<int>(threadIdx.x) % kParts;
  const int64_t query = place.first + row, count = min_of<int64_t>(keys.own - place.first, kTile);
  const T* qkv = static_cast<const T*>(args.qkv);
  load_tile<T>(queries, {qkv + head * dim, at.row}, dim, count, [&](int64_t r) { return keys.begin + place.first + r; });

  float* weights = all_weights + row * kWeightStride;
  float sums[columns] = {};
  RowSoftmax softmax;
  const int64_t low = keys.first(query, args.window), high = keys.end(query), last = keys.end(place.first + count - 1);
  for (int64_t begin = keys.first(place.first, args.window); begin < last; begin += kTile) {
    const auto row_of = [&](int64_t r) { return keys.row(begin + r); };
    __syncthreads();  // the previous tiles have been read
    load_tile<T>(key_tile, {qkv + at.key, at.row}, dim, last - begin, row_of);
    load_tile<T>(value_tile, {qkv + at.value, at.row}, dim, last - begin, row_of);
    __syncthreads();
    float scores[kPartRows];
    bool visible[kPartRows];
    dot_rows(queries + row * (dim + 1), key_tile, dim, part, scores);
    for (int u = 0; u < kPartRows; ++u) {
      const int64_t key = begin + part + u * kParts;
      visible[u] = key >= low && key < high;
      scores[u] *= args.scale;
    }
    const float factor = softmax.add(scores, visible);
    for (int u = 0; u < kPartRows; ++u) weights[part + u * kParts] = scores[u];
    for (float& sum : sums) sum *= factor;
    __syncwarp();  // a row's weights come from its eight threads
    add_weighted_rows(weights, value_tile, dim, part, sums);
  }
  if (row >= count) return;
  const int64_t to = keys.begin + query;
  store_row(static_cast<T*>(args.out) + to * at.out_row + head * dim, sums, 1.0F / softmax.sum, dim, part);
  if (part == 0) args.lse[to * args.heads + head] = softmax.max + logf(softmax.sum);
}

/// delta [rows, H] = out · dout, a warp each.
template <class T>
__global__ void out_dot_dout(PackedAttention args, PackedAttentionGradient gradient) {
  const int64_t index = int64_t{blockIdx.x} * (kAttentionThreads / kWarp) + threadIdx.x / kWarp;
  if (index >= args.rows * args.heads) return;
  const T *out = static_cast<const T*>(args.out) + index * args.head_dim,
          *dout = static_cast<const T*>(gradient.dout) + index * args.head_dim;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float sum = 0.0F;
  for (int64_t i = lane; i < args.head_dim; i += kWarp) sum += to_float(out[i]) * to_float(dout[i]);
  sum = warp_reduce(sum, Sum());
  if (lane == 0) gradient.delta[index] = sum;
}

/// dq = sum over keys of p (dout · v - delta) scale k, a block a tile of queries.
template <class T, int columns>
__global__ void query_gradient(PackedAttention args, PackedAttentionGradient gradient) {
  const Place place = place_of(args.longest);
  const SegmentKeys keys(args.segments[place.segment]);
  if (place.first >= keys.own) return;
  const int64_t head = blockIdx.y, dim = args.head_dim;
  const Heads at(args, head / (args.heads / args.kv_heads));
  GRPO_DYNAMIC_SHARED(float, all_weights);
  float *queries = all_weights + kWeightFloats, *douts = queries + tile_floats(dim), *value_tile = douts + tile_floats(dim),
        *key_tile = value_tile + tile_floats(dim);
  const int row = static_cast<int>(threadIdx.x) / kParts, part = static_cast<int>(threadIdx.x) % kParts;
  const int64_t query = place.first + row, count = min_of<int64_t>(keys.own - place.first, kTile), to = keys.begin + query;
  const T* qkv = static_cast<const T*>(args.qkv);
  const auto own_row = [&](int64_t r) { return keys.begin + place.first + r; };
  load_tile<T>(queries, {qkv + head * dim, at.row}, dim, count, own_row);
  load_tile<T>(douts, {static_cast<const T*>(gradient.dout) + head * dim, at.out_row}, dim, count, own_row);

  float* weights = all_weights + row * kWeightStride;
  float sums[columns] = {};
  const float lse = row < count ? args.lse[to * args.heads + head] : 0.0F,
              delta = row < count ? gradient.delta[to * args.heads + head] : 0.0F;
  const int64_t low = keys.first(query, args.window), high = keys.end(query), last = keys.end(place.first + count - 1);
  for (int64_t begin = keys.first(place.first, args.window); begin < last; begin += kTile) {
    const auto row_of = [&](int64_t r) { return keys.row(begin + r); };
    __syncthreads();  // the previous tiles have been read
    load_tile<T>(key_tile, {qkv + at.key, at.row}, dim, last - begin, row_of);
    load_tile<T>(value_tile, {qkv + at.value, at.row}, dim, last - begin, row_of);
    __syncthreads();
    float scores[kPartRows], dweights[kPartRows];
    dot_rows(queries + row * (dim + 1), key_tile, dim, part, scores);
    dot_rows(douts + row * (dim + 1), value_tile, dim, part, dweights);
    for (int u = 0; u < kPartRows; ++u) {
      const int64_t key = begin + part + u * kParts;
      const float p = key >= low && key < high ? expf(scores[u] * args.scale - lse) : 0.0F;
      weights[part + u * kParts] = p * (dweights[u] - delta) * args.scale;
    }
    __syncwarp();  // a row's weights come from its eight threads
    add_weighted_rows(weights, key_tile, dim, part, sums);
  }
  if (row < count) store_row(static_cast<T*>(gradient.dqkv) + to * at.row + head * dim, sums, 1.0F, dim, part);
}

/// The rows of a segment that see some of a tile of keys, [begin, end), and the number of the tile's row 0 among the segment's keys: its
/// rows from 0 to `last` are keys of the segment where their number is not negative.
struct Readers {
  int64_t begin = 0, end = 0, key, last;

  __device__ Readers(const AttentionSegment& s, bool own, int64_t tile_row, int64_t count, int64_t window) {
    const SegmentKeys keys(s);
    key = own ? keys.prefix + tile_row - s.begin : tile_row - s.prefix_begin;
    last = min_of((own ? s.end : s.prefix_end) - tile_row, count);
    if (last <= 0 || key + last <= 0) return;
    begin = max_of<int64_t>(key - keys.prefix, 0);
    end = window > 0 ? min_of(keys.own, key + last - 1 + window - keys.prefix) : keys.own;
  }
};

/// dk = sum over queries of p (dout · v - delta) scale q, dv = sum of p dout; over all heads of the group and all segments that see the
/// keys, in order. A block a tile of a segment's own rows.
template <class T, int columns>
__global__ void key_gradient(PackedAttention args, PackedAttentionGradient gradient) {
  const Place place = place_of(args.longest);
  const AttentionSegment own = args.segments[place.segment];
  if (place.first >= own.end - own.begin) return;
  const int64_t kv_head = blockIdx.y, dim = args.head_dim, group = args.heads / args.kv_heads;
  const Heads at(args, kv_head);
  GRPO_DYNAMIC_SHARED(float, all_weights);
  float *key_tile = all_weights + 2 * kWeightFloats, *value_tile = key_tile + tile_floats(dim), *queries = value_tile + tile_floats(dim),
        *douts = queries + tile_floats(dim);
  const int row = static_cast<int>(threadIdx.x) / kParts, part = static_cast<int>(threadIdx.x) % kParts;
  float *weights = all_weights + row * kWeightStride, *dscores = weights + kWeightFloats;
  const int64_t tile_row = own.begin + place.first, count = min_of<int64_t>(own.end - tile_row, kTile);
  const T *qkv = static_cast<const T*>(args.qkv), *dout = static_cast<const T*>(gradient.dout);
  const auto own_row = [&](int64_t r) { return tile_row + r; };
  load_tile<T>(key_tile, {qkv + at.key, at.row}, dim, count, own_row);
  load_tile<T>(value_tile, {qkv + at.value, at.row}, dim, count, own_row);

  float key_sums[columns] = {}, value_sums[columns] = {};
  for (int64_t s = place.segment; s < args.num_segments; ++s) {
    const AttentionSegment segment = args.segments[s];
    const Readers readers(segment, s == place.segment, tile_row, count, args.window);
    const SegmentKeys keys(segment);
    const int64_t key = row < readers.last ? readers.key + row : -1, tiles = div_up<int64_t>(readers.end - readers.begin, kTile);
    for (int64_t step = 0; step < tiles * group; ++step) {
      const int64_t head = kv_head * group + step / tiles, begin = readers.begin + step % tiles * kTile;
      const auto row_of = [&](int64_t r) { return segment.begin + begin + r; };
      __syncthreads();  // the previous tiles have been read
      load_tile<T>(queries, {qkv + head * dim, at.row}, dim, readers.end - begin, row_of);
      load_tile<T>(douts, {dout + head * dim, at.out_row}, dim, readers.end - begin, row_of);
      __syncthreads();
      float scores[kPartRows], dweights[kPartRows];
      dot_rows(key_tile + row * (dim + 1), queries, dim, part, scores);
      dot_rows(value_tile + row * (dim + 1), douts, dim, part, dweights);
      for (int u = 0; u < kPartRows; ++u) {
        const int64_t query = begin + part + u * kParts, from = (segment.begin + query) * args.heads + head;
        const bool visible = key >= keys.first(query, args.window) && key < keys.end(query);
        const float p = visible ? expf(scores[u] * args.scale - args.lse[from]) : 0.0F;
        weights[part + u * kParts] = p;
        dscores[part + u * kParts] = visible ? p * (dweights[u] - gradient.delta[from]) * args.scale : 0.0F;
      }
      __syncwarp();  // a row's weights come from its eight threads
      add_weighted_rows(weights, douts, dim, part, value_sums);
      add_weighted_rows(dscores, queries, dim, part, key_sums);
    }
  }
  if (row >= count) return;
  T* to = static_cast<T*>(gradient.dqkv) + (tile_row + row) * at.row;
  store_row(to + at.key, key_sums, 1.0F, dim, part);
  store_row(to + at.value, value_sums, 1.0F, dim, part);
}

void check_shape(const PackedAttention& args) {
  GRPO_CHECK(args.head_dim > 0 && args.head_dim <= kMaxHeadDim && args.kv_heads > 0 && args.heads % args.kv_heads == 0, "attention",
             "expected a head dimension of at most 256 and whole groups of heads; got " + std::to_string(args.head_dim) + ", " +
                 std::to_string(args.heads) + " and " + std::to_string(args.kv_heads));
}

/// Calls `work` with the columns of a row's results that a thread holds, as a constant.
template <class Work>
void for_columns(int64_t head_dim, const Work& work) {
  if (head_dim <= 8 * kParts) return work(std::integral_constant<int, 8>());
  if (head_dim <= 16 * kParts) return work(std::integral_constant<int, 16>());
  work(std::integral_constant<int, kMaxHeadDim / kParts>());
}

size_t shared_bytes(int64_t tiles, int64_t weights, int64_t head_dim) {
  return static_cast<size_t>(tiles * tile_floats(head_dim) + weights * kWeightFloats) * sizeof(float);
}

dim3 grid_of_tiles(const PackedAttention& args, int64_t heads) {
  return grid_of(args.num_segments * div_up<int64_t>(args.longest, kTile), heads);
}

template <class T>
void launch_attention(const PackedAttention& args, CUstream_st* stream) {
  if (args.rows == 0) return;
  check_shape(args);
  for_columns(args.head_dim, [&](auto columns) {
    launch(attention<T, decltype(columns)::value>, grid_of_tiles(args, args.heads), kAttentionThreads, shared_bytes(3, 1, args.head_dim),
           stream, args);
  });
}

template <class T>
void launch_attention_backward(const PackedAttention& args, const PackedAttentionGradient& gradient, CUstream_st* stream) {
  if (args.rows == 0) return;
  check_shape(args);
  const int64_t dots = div_up<int64_t>(args.rows * args.heads, kAttentionThreads / kWarp);
  launch(out_dot_dout<T>, grid_of(dots), kAttentionThreads, 0, stream, args, gradient);
  for_columns(args.head_dim, [&](auto columns) {
    constexpr int kColumns = decltype(columns)::value;
    launch(query_gradient<T, kColumns>, grid_of_tiles(args, args.heads), kAttentionThreads, shared_bytes(4, 1, args.head_dim), stream, args,
           gradient);
    launch(key_gradient<T, kColumns>, grid_of_tiles(args, args.kv_heads), kAttentionThreads, shared_bytes(4, 2, args.head_dim), stream,
           args, gradient);
  });
}

}  // namespace

template <class T>
void add_attention_kernels(CudaTrainKernels& table) {
  table.attention = launch_attention<T>;
  table.attention_backward = launch_attention_backward<T>;
}
template void add_attention_kernels<float>(CudaTrainKernels&);
template void add_attention_kernels<bf16>(CudaTrainKernels&);

}  // namespace grpo::kernels
