#pragma once

#include "runtime.cuh"

// Copies from global to shared memory that run beside the thread. A thread's copies are grouped by commit; what other threads copied is
// there after their wait and a barrier.
namespace grpo::kernels {

/// Copies 16 bytes, both addresses on 16-byte boundaries; zeros where not `valid` (then `global` is not read).
__device__ __forceinline__ void copy_async16(void* shared, const void* global, bool valid) {
#ifdef __CUDACC__
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const unsigned bytes = valid ? 16U : 0U;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes) : "memory");
#else
  GRPO_CHECK(reinterpret_cast<uintptr_t>(shared) % 16 == 0 && reinterpret_cast<uintptr_t>(global) % 16 == 0, "copy_async16",
             "expected addresses on 16-byte boundaries; got another");
  host::block().copy_async(shared, valid ? global : nullptr, 16);
#endif
}

__device__ __forceinline__ void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  host::block().commit_copies();
#endif
}

/// Until at most `newest` of this thread's groups are under way.
template <int newest>
__device__ __forceinline__ void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(newest) : "memory");
#else
  host::block().wait_copies(newest);
#endif
}

}  // namespace grpo::kernels
