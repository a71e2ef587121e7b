#pragma once

// The first header of every kernel: what nvcc knows by itself, g++ and clang++ learn here. A kernel's file is C++17, is compiled by nvcc
// for GPUs, and by the host's compiler for tests, where host/twin.h runs a block's threads as fibers. See ../README.md.

#ifdef __CUDACC__
#include "device_runtime.cuh"
#else
#include "host/twin.h"
#endif

namespace grpo::kernels {

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullWarp = 0xFFFFFFFFU;

template <class T>
__host__ __device__ constexpr T min_of(T a, T b) {
  return b < a ? b : a;
}
template <class T>
__host__ __device__ constexpr T max_of(T a, T b) {
  return a < b ? b : a;
}
template <class T>
__host__ __device__ constexpr T div_up(T n, T unit) {
  return (n + unit - 1) / unit;
}
template <class T>
__host__ __device__ constexpr T round_up(T n, T unit) {
  return div_up(n, unit) * unit;
}

}  // namespace grpo::kernels
