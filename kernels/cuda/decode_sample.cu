#include "../decode_sample_cuda.h"
#include "philox.cuh"
#include "reduce.cuh"

namespace grpo::kernels {
namespace {

constexpr int kThreads = 256;
constexpr float kNever = -INFINITY;
constexpr int64_t kNoColumn = INT64_MAX;

__device__ __forceinline__ float mass(float logit, float max, float inverse_temperature) {
  return max == kNever ? 0.0F : expf((logit - max) * inverse_temperature);
}

// Block (chunk, row).
__global__ void logit_sums(Logits args, const StepRow* rows) {
  if (rows[blockIdx.y].sequence < 0) return;
  const float* logits = args.logits + blockIdx.y * args.stride;
  const int64_t begin = blockIdx.x * kLogitChunk, end = min_of(begin + kLogitChunk, args.limit);
  float max = kNever;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) max = max_of(max, logits[i]);
  max = block_reduce(max, Max(), kNever);
  float sum = 0.0F;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    sum += isnan(logits[i]) ? logits[i] : mass(logits[i], max, args.inverse_temperature);
  }
  sum = block_reduce(sum, Sum(), 0.0F);
  if (threadIdx.x == 0) args.sums[blockIdx.y * gridDim.x + blockIdx.x] = {max, sum};
}

// A row's chunks taken together.
struct RowSums {
  const float* logits;
  const ChunkSums* chunks;
  int64_t count;
  int64_t limit;
  float inverse_temperature, max;
  double total;

  __device__ RowSums(const Logits& from, int64_t row)
      : logits(from.logits + row * from.stride),
        chunks(from.sums + row * div_up<int64_t>(from.limit, kLogitChunk)),
        count(div_up<int64_t>(from.limit, kLogitChunk)),
        limit(from.limit),
        inverse_temperature(from.inverse_temperature),
        max(kNever),
        total(0.0) {
    for (int64_t c = 0; c < count; ++c) max = max_of(max, chunks[c].max);
    for (int64_t c = 0; c < count; ++c) total += chunk_mass(c);
  }
  __device__ double chunk_mass(int64_t c) const {
    const ChunkSums chunk = chunks[c];
    if (chunk.max == kNever && chunk.sum == 0.0F) return 0.0;
    return static_cast<double>(chunk.sum) * mass(chunk.max, max, inverse_temperature);
  }
  __device__ bool finite() const { return isfinite(max) && isfinite(total); }
  __device__ float logprob(int64_t id) const {
    return static_cast<float>((static_cast<double>(logits[id]) - max) * inverse_temperature - log(total));
  }
};

// The lowest column of the maximum.
__device__ int64_t most_likely(const RowSums& row) {
  int64_t chunk = 0;
  while (row.chunks[chunk].max < row.max) ++chunk;
  int64_t first = kNoColumn;
  const int64_t end = min_of((chunk + 1) * kLogitChunk, row.limit);
  for (int64_t i = chunk * kLogitChunk + threadIdx.x; i < end; i += kThreads) {
    if (row.logits[i] == row.max) first = min_of(first, i);
  }
  return block_reduce(first, Min(), kNoColumn);
}

// The chunk in which the cumulative sum passes `target`, and the sum before it. The sum of all, taken in the same order, does exceed it.
struct Place {
  int64_t chunk;
  double before;
};
__device__ Place find_chunk(const RowSums& row, double target) {
  Place place{0, 0.0};
  for (;; ++place.chunk) {
    const double sum = place.before + row.chunk_mass(place.chunk);
    if (sum > target) return place;
    place.before = sum;
  }
}

// The smallest column whose cumulative sum exceeds uniform * total; never one of probability 0. Each thread sums neighbouring columns.
__device__ int64_t inverse_cdf(const RowSums& row, float uniform) {
  constexpr int64_t kColumns = kLogitChunk / kThreads;
  GRPO_SHARED(double, sums, kThreads);
  const double target = static_cast<double>(uniform) * row.total;
  const Place place = find_chunk(row, target);
  const int64_t begin = place.chunk * kLogitChunk + threadIdx.x * kColumns, end = min_of(begin + kColumns, row.limit);
  double mine = 0.0;
  for (int64_t i = begin; i < end; ++i) mine += mass(row.logits[i], row.max, row.inverse_temperature);
  sums[threadIdx.x] = mine;
  __syncthreads();
  double sum = place.before;
  for (unsigned t = 0; t < threadIdx.x; ++t) sum += sums[t];
  int64_t found = kNoColumn, last = -1;
  for (int64_t i = begin; i < end; ++i) {
    const float column = mass(row.logits[i], row.max, row.inverse_temperature);
    sum += column;
    if (column == 0.0F) continue;
    last = i;
    if (sum > target && found == kNoColumn) found = i;
  }
  found = block_reduce(found, Min(), kNoColumn);
  last = block_reduce(last, Max(), int64_t{-1});
  return found == kNoColumn ? last : found;  // rounding: the chunk's own sum exceeded the target, its columns' sum does not
}

__device__ bool is_stop(const Draw& args, int32_t id) {
  for (int64_t s = 0; s < args.stop_count; ++s) {
    if (args.stop_ids[s] == id) return true;
  }
  return false;
}

// By one thread: the token, then the row's next step.
__device__ void finish_draw(const Draw& args, StepRow& row, DrawState& state, Drawn token) {
  args.drawn[state.taken * args.drawn_stride + blockIdx.x] = token;
  ++state.taken;
  ++state.position;
  --state.remaining;
  if (token.id >= 0 && args.seen != nullptr) {
    args.seen[blockIdx.x * div_up<int64_t>(args.plain.limit, 32) + token.id / 32] |= 1U << token.id % 32;
  }
  const bool ended = token.id < 0 || state.remaining <= 0 || is_stop(args, token.id);
  row = {token.id, ended ? -1 : row.sequence, row.position + 1};
}

// Block: a row.
__global__ void draw(Draw args, StepRow* rows) {
  StepRow row = rows[blockIdx.x];
  if (row.sequence < 0) return;
  DrawState state = args.states[blockIdx.x];
  const RowSums plain(args.plain, blockIdx.x);
  const RowSums processed(args.processed, blockIdx.x);
  Drawn token{-1, 0.0F, 0.0F};
  if (plain.finite() && processed.finite()) {
    const int64_t id =
        args.greedy ? most_likely(processed) : inverse_cdf(processed, stream_uniform(state.stream, state.sample, state.position));
    token = {static_cast<int32_t>(id), plain.logprob(id), args.greedy ? 0.0F : processed.logprob(id)};
  }
  // The others need no barrier: where a token was drawn they have met in its reduction, and elsewhere they do nothing more.
  if (threadIdx.x != 0) return;
  finish_draw(args, row, state, token);
  rows[blockIdx.x] = row;
  args.states[blockIdx.x] = state;
}

}  // namespace

void logit_sums_cuda(const Logits& logits, const StepRow* rows, int64_t n, CUstream_st* stream) {
  if (n == 0) return;
  const dim3 grid(static_cast<unsigned>(div_up<int64_t>(logits.limit, kLogitChunk)), static_cast<unsigned>(n));
  launch(logit_sums, grid, kThreads, 0, stream, logits, rows);
}

void draw_cuda(const Draw& args, StepRow* rows, int64_t n, CUstream_st* stream) {
  if (n == 0) return;
  launch(draw, dim3(static_cast<unsigned>(n)), kThreads, 0, stream, args, rows);
}

}  // namespace grpo::kernels
