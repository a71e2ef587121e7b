#include "../decode_sample_cuda.h"
#include "reduce.cuh"

namespace grpo::kernels {
namespace {

constexpr int kThreads = 1024;
constexpr float kNever = -INFINITY;

// Orders columns as the sampler does: the likelier first, the lower id first among equals. Larger keys come first, and no two are equal.
__device__ __forceinline__ uint64_t key_of(float logit, int64_t id) {
  const uint32_t bits = __float_as_uint(logit + 0.0F);  // no negative zero
  const uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return uint64_t{ordered} << 32 | (0xFFFFFFFFU - static_cast<uint32_t>(id));
}

// Sum over the columns with keys of at least `least` of measure(logit).
template <class Measure>
__device__ double measure_from(const float* logits, int64_t limit, uint64_t least, const Measure& measure) {
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < limit; i += kThreads) {
    if (key_of(logits[i], i) >= least) sum += measure(logits[i]);
  }
  return block_reduce(sum, Sum(), 0.0);
}

// The largest key from which on the columns measure at least `target`: bisection, a pass over the row per bit.
template <class Measure>
__device__ uint64_t find_key(const float* logits, int64_t limit, double target, const Measure& measure) {
  uint64_t key = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const uint64_t higher = key | uint64_t{1} << bit;
    if (measure_from(logits, limit, higher, measure) >= target) key = higher;
  }
  return key;
}

// Takes out the columns below `least`. Each thread touches the columns that it alone reads in measure_from.
__device__ void keep_from(float* logits, int64_t limit, uint64_t least) {
  for (int64_t i = threadIdx.x; i < limit; i += kThreads) {
    if (key_of(logits[i], i) < least) logits[i] = kNever;
  }
}

__device__ float row_max(const float* logits, int64_t limit) {
  float max = kNever;
  for (int64_t i = threadIdx.x; i < limit; i += kThreads) max = max_of(max, logits[i]);
  return block_reduce(max, Max(), kNever);
}

__device__ void penalise(const Reshape& args, float* processed) {
  const float* logits = args.logits + blockIdx.x * args.stride;
  const uint32_t* seen = args.seen == nullptr ? nullptr : args.seen + blockIdx.x * div_up<int64_t>(args.limit, 32);
  for (int64_t i = threadIdx.x; i < args.limit; i += kThreads) {
    float logit = logits[i];
    if (seen != nullptr && (seen[i / 32] >> i % 32 & 1) != 0) {
      logit = static_cast<float>(logit > 0.0F ? logit / args.repetition_penalty : logit * args.repetition_penalty);
    }
    processed[i] = logit;
  }
}

// Block: a row.
__global__ void reshape_logits(Reshape args, const StepRow* rows) {
  if (rows[blockIdx.x].sequence < 0) return;
  float* logits = args.processed + blockIdx.x * args.stride;
  penalise(args, logits);
  if (args.min_p > 0.0) {
    const auto least = static_cast<float>(row_max(logits, args.limit) + log(args.min_p) * args.temperature);
    for (int64_t i = threadIdx.x; i < args.limit; i += kThreads) {
      if (logits[i] < least) logits[i] = kNever;
    }
  }
  if (args.top_k > 0 && args.top_k < args.limit) {
    const auto one = [](float logit) { return logit > kNever ? 1.0 : 0.0; };
    keep_from(logits, args.limit, find_key(logits, args.limit, static_cast<double>(args.top_k), one));
  }
  if (args.top_p < 1.0) {
    const double max = row_max(logits, args.limit);
    const auto mass = [&](float logit) { return logit > kNever ? exp((logit - max) / args.temperature) : 0.0; };
    const double total = measure_from(logits, args.limit, 0, mass);
    keep_from(logits, args.limit, find_key(logits, args.limit, args.top_p * total, mass));
  }
}

}  // namespace

void reshape_logits_cuda(const Reshape& args, const StepRow* rows, int64_t n, CUstream_st* stream) {
  if (n == 0) return;
  launch(reshape_logits, dim3(static_cast<unsigned>(n)), kThreads, 0, stream, args, rows);
}

}  // namespace grpo::kernels
