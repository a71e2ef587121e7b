#pragma once

#include "runtime.cuh"

// Reductions over the threads of a warp or a block, in an order that depends on the block's size alone. Every thread gets the result.
namespace grpo::kernels {

struct Sum {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return max_of(a, b);
  }
};
struct Min {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return min_of(a, b);
  }
};

/// Over the 32 lanes, all of which must call.
template <class T, class Operation>
__device__ __forceinline__ T warp_reduce(T value, Operation operation) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value = operation(value, __shfl_xor_sync(kFullWarp, value, lanes));
  return value;
}

/// Over the block's threads, all of which must call; a barrier for them. `neutral` leaves every value as it is.
template <class T, class Operation>
__device__ T block_reduce(T value, Operation operation, T neutral) {
  GRPO_SHARED(T, partial, kWarp);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  value = warp_reduce(value, operation);
  __syncthreads();  // the previous call's result has been read
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  return warp_reduce(lane < warps ? partial[lane] : neutral, operation);
}

}  // namespace grpo::kernels
