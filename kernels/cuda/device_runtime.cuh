#pragma once

// nvcc's side of runtime.cuh; host/twin.h gives the same names to the host's compiler.

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "grpo/core/error.h"

/// `type name[count]` in shared memory.
#define GRPO_SHARED(type, name, count) __shared__ type name[count]
/// `type* name`: the shared memory whose size the launch gives, on a 16-byte boundary.
#define GRPO_DYNAMIC_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char grpo_dynamic_shared[]; \
  [[maybe_unused]] type* name = reinterpret_cast<type*>(grpo_dynamic_shared)

namespace grpo::kernels {

/// A bfloat16 in memory.
using bf16 = __nv_bfloat16;
__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(bf16 value) { return __bfloat162float(value); }
template <class T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float value) {
  return __float2bfloat16_rn(value);
}

inline constexpr size_t kPlainSharedBytes = 48 * 1024;  // more must be asked for

inline void check_launch(cudaError_t status) {
  GRPO_CHECK(status == cudaSuccess, "launch", std::string("expected a kernel to start; got ") + cudaGetErrorString(status));
}

/// kernel<<<grid, block, shared_bytes, stream>>>(args...). Throws where CUDA refuses it.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, unsigned block, size_t shared_bytes, CUstream_st* stream, Arguments... args) {
  if (shared_bytes > kPlainSharedBytes) {
    check_launch(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
  }
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(args)...);
  check_launch(cudaGetLastError());
}

}  // namespace grpo::kernels
