#pragma once

#include "runtime.cuh"

// Tensor cores: one warp multiplies a 16 x 16 by a 16 x 8 tile. Fragments as PTX lays them out (mma.m16n8k16): with g = lane / 4 and
// t = lane % 4, a register holds two neighbouring bf16, the lower index in the lower half.
namespace grpo::kernels {

/// a[16, 16]: registers hold row g, columns 2t, 2t + 1; row g + 8; then the same rows at columns + 8.
struct MmaA {
  uint32_t r[4];
};
/// b[16, 8]: registers hold column g, rows 2t, 2t + 1; then rows + 8.
struct MmaB {
  uint32_t r[2];
};
/// c[16, 8] in fp32: row g, columns 2t, 2t + 1; then row g + 8.
struct MmaC {
  float r[4];
};

__device__ __forceinline__ uint32_t pack_bf16(bf16 low, bf16 high) {
#ifdef __CUDACC__
  return static_cast<uint32_t>(__bfloat16_as_ushort(high)) << 16 | __bfloat16_as_ushort(low);
#else
  return uint32_t{high.bits} << 16 | low.bits;
#endif
}

#ifndef __CUDACC__
namespace host {

inline float half_of(uint32_t pair, unsigned half) { return std::bit_cast<float>(half == 0 ? pair << 16 : pair & 0xFFFF0000U); }

struct MmaLane {
  MmaA a;
  MmaB b;
};

inline void mma_m16n8k16(MmaC& c, const MmaA& a, const MmaB& b) {
  const unsigned lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const LaneValue* lanes = exchange("mma_m16n8k16", 0xFFFFFFFFU, MmaLane{a, b});
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row_high = i / 2, column = 2 * t + i % 2;
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned k_high = k / 8, k_lane = k % 8 / 2;
      const MmaA from_a = lane_value<MmaLane>(lanes[g * 4 + k_lane]).a;
      const MmaB from_b = lane_value<MmaLane>(lanes[column * 4 + k_lane]).b;
      c.r[i] += half_of(from_a.r[row_high + 2 * k_high], k % 2) * half_of(from_b.r[k_high], k % 2);
    }
  }
}

}  // namespace host
#endif

/// c += a b, products exact, summed in fp32. All 32 lanes.
__device__ __forceinline__ void mma_m16n8k16(MmaC& c, const MmaA& a, const MmaB& b) {
#ifdef __CUDACC__
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c.r[0]), "+f"(c.r[1]), "+f"(c.r[2]), "+f"(c.r[3])
               : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#else
  host::mma_m16n8k16(c, a, b);
#endif
}

}  // namespace grpo::kernels
