#pragma once

#include "runtime.cuh"

namespace grpo::kernels {

struct Words {
  uint32_t w[4];
};

/// grpo::philox4x32 (grpo/core/random.h), word for word.
__device__ __forceinline__ Words philox4x32(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = __umulhi(0xD2511F53U, counter.w[0]), low0 = 0xD2511F53U * counter.w[0];
    const uint32_t high1 = __umulhi(0xCD9E8D57U, counter.w[2]), low1 = 0xCD9E8D57U * counter.w[2];
    counter = {{high1 ^ counter.w[1] ^ key0, low1, high0 ^ counter.w[3] ^ key1, low0}};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

/// grpo::sample_uniform of the sample whose sample_stream is `stream`.
__device__ __forceinline__ float stream_uniform(const uint32_t* stream, uint32_t sample, uint32_t position) {
  const Words words = philox4x32({{position, sample, stream[0], stream[1]}}, stream[2], stream[3]);
  return static_cast<float>(words.w[0] >> 8) * (1.0F / 16777216.0F);
}

}  // namespace grpo::kernels
