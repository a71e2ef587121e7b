#include "../decode_sample_cuda.h"
#include "reduce.cuh"

namespace grpo::kernels {
namespace {

constexpr int64_t kMostThreads = 1024;
constexpr float kNever = -INFINITY;

// A row of logits, each thread reading and writing columns of its own.
struct Row {
  float* logits;
  int64_t limit;
  int id_bits;  // that tell the columns apart

  // Orders columns as the sampler does: the likelier first, the lower id first among equals. Larger keys come first, no two are equal.
  __device__ __forceinline__ uint64_t key(int64_t id) const {
    const uint32_t bits = __float_as_uint(logits[id] + 0.0F);  // no negative zero
    const uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    return uint64_t{ordered} << id_bits | static_cast<uint64_t>(limit - 1 - id);
  }
  template <class Work>
  __device__ __forceinline__ void for_columns(const Work& work) const {
    for (int64_t i = threadIdx.x; i < limit; i += blockDim.x) work(i);
  }
};

// Sum over the columns with keys of at least `least` of measure(logit).
template <class Measure>
__device__ double measure_from(const Row& row, uint64_t least, const Measure& measure) {
  double sum = 0.0;
  row.for_columns([&](int64_t i) {
    if (row.key(i) >= least) sum += measure(row.logits[i]);
  });
  return block_reduce(sum, Sum(), 0.0);
}

// Keeps the columns from the likeliest on, as few as measure at least `target`. Bisection, a pass over the row per bit of the key.
template <class Measure>
__device__ void keep_likeliest(const Row& row, double target, const Measure& measure) {
  uint64_t key = 0;
  for (int bit = 31 + row.id_bits; bit >= 0; --bit) {
    const uint64_t higher = key | uint64_t{1} << bit;
    if (measure_from(row, higher, measure) >= target) key = higher;
  }
  row.for_columns([&](int64_t i) {
    if (row.key(i) < key) row.logits[i] = kNever;
  });
}

__device__ float row_max(const Row& row) {
  float max = kNever;
  row.for_columns([&](int64_t i) { max = max_of(max, row.logits[i]); });
  return block_reduce(max, Max(), kNever);
}

__device__ void penalise(const Reshape& args, const Row& row) {
  const float* logits = args.logits + blockIdx.x * args.stride;
  const uint32_t* seen = args.seen == nullptr ? nullptr : args.seen + blockIdx.x * div_up<int64_t>(args.limit, 32);
  row.for_columns([&](int64_t i) {
    float logit = logits[i];
    if (seen != nullptr && (seen[i / 32] >> i % 32 & 1) != 0) {
      logit = static_cast<float>(logit > 0.0F ? logit / args.repetition_penalty : logit * args.repetition_penalty);
    }
    row.logits[i] = logit;
  });
}

// Block: a row.
__global__ void reshape_logits(Reshape args, const StepRow* rows, int id_bits) {
  if (rows[blockIdx.x].sequence < 0) return;
  const Row row{args.processed + blockIdx.x * args.stride, args.limit, id_bits};
  penalise(args, row);
  if (args.min_p > 0.0) {
    const auto least = static_cast<float>(row_max(row) + log(args.min_p) * args.temperature);
    row.for_columns([&](int64_t i) {
      if (row.logits[i] < least) row.logits[i] = kNever;
    });
  }
  if (args.top_k > 0 && args.top_k < args.limit) {
    keep_likeliest(row, static_cast<double>(args.top_k), [](float) { return 1.0; });
  }
  if (args.top_p < 1.0) {
    const double max = row_max(row);
    const auto mass = [&](float logit) { return exp((logit - max) / args.temperature); };
    keep_likeliest(row, args.top_p * measure_from(row, 0, mass), mass);
  }
}

}  // namespace

void reshape_logits_cuda(const Reshape& args, const StepRow* rows, int64_t n, CUstream_st* stream) {
  if (n == 0) return;
  int id_bits = 0;
  while (int64_t{1} << id_bits < args.limit) ++id_bits;
  const auto threads = static_cast<unsigned>(min_of(kMostThreads, round_up<int64_t>(args.limit, kWarp)));
  launch(reshape_logits, dim3(static_cast<unsigned>(n)), threads, 0, stream, args, rows, id_bits);
}

}  // namespace grpo::kernels
