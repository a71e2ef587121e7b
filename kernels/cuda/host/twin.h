#pragma once

// The host's side of runtime.cuh: CUDA's keywords and intrinsics for a compiler that has none. A kernel is a plain function that every
// fiber of a block runs (fibers.h). Warp operations take all 32 lanes: other masks are an error.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#include "fibers.h"
#include "grpo/core/error.h"

struct CUstream_st;

struct dim3 {
  constexpr dim3(unsigned nx = 1, unsigned ny = 1, unsigned nz = 1) : x(nx), y(ny), z(nz) {}
  unsigned x, y, z;
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;  // set at every switch of fibers

// NOLINTBEGIN(bugprone-reserved-identifier,bugprone-macro-parentheses): CUDA's names, and types as macro arguments

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define GRPO_SHARED(type, name, count)                                         \
  type* const name = static_cast<type*>(::grpo::kernels::host::block().shared( \
      [] {                                                                     \
        static char site;                                                      \
        return &site;                                                          \
      }(),                                                                     \
      sizeof(type) * (count)))
#define GRPO_DYNAMIC_SHARED(type, name) \
  [[maybe_unused]] type* const name = static_cast<type*>(::grpo::kernels::host::block().dynamic_shared())

namespace grpo::kernels::host {

inline constexpr size_t kMaxSharedBytes = size_t{227} << 10;  // of an H100's block

void run_grid(dim3 grid, unsigned threads, size_t shared_bytes, const std::function<void()>& body);
/// Runs `work` now where `stream` is null, else when the stream is waited for; while the stream is captured, it becomes part of a graph.
void enqueue(CUstream_st* stream, std::function<void()> work);

template <class T>
T lane_value(const LaneValue& lane) {
  T value;
  std::memcpy(&value, lane.bytes.data(), sizeof(T));
  return value;
}
template <class T>
const LaneValue* exchange(const char* operation, unsigned mask, const T& value) {
  static_assert(sizeof(T) <= sizeof(LaneValue));
  GRPO_CHECK(mask == 0xFFFFFFFFU, operation, "expected the mask of a full warp; got another");
  return block().exchange(operation, &value, sizeof(T));
}

}  // namespace grpo::kernels::host

inline void __syncthreads() { grpo::kernels::host::block().barrier(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU) { grpo::kernels::host::exchange("__syncwarp", mask, 0); }
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return grpo::kernels::host::lane_value<T>(grpo::kernels::host::exchange("__shfl_sync", mask, value)[lane & 31]);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
  const unsigned lane = threadIdx.x % 32;
  return grpo::kernels::host::lane_value<T>(grpo::kernels::host::exchange("__shfl_xor_sync", mask, value)[(lane ^ bits) & 31]);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
  const unsigned lane = threadIdx.x % 32;
  const auto* slots = grpo::kernels::host::exchange("__shfl_down_sync", mask, value);
  return lane + delta < 32 ? grpo::kernels::host::lane_value<T>(slots[lane + delta]) : value;
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
  const unsigned lane = threadIdx.x % 32;
  const auto* slots = grpo::kernels::host::exchange("__shfl_up_sync", mask, value);
  return lane >= delta ? grpo::kernels::host::lane_value<T>(slots[lane - delta]) : value;
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const auto* slots = grpo::kernels::host::exchange("__ballot_sync", mask, predicate);
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    ballot |= static_cast<unsigned>(grpo::kernels::host::lane_value<int>(slots[lane]) != 0) << lane;
  return ballot;
}
inline int __any_sync(unsigned mask, int predicate) { return static_cast<int>(__ballot_sync(mask, predicate) != 0); }
inline int __all_sync(unsigned mask, int predicate) { return static_cast<int>(__ballot_sync(mask, predicate) == 0xFFFFFFFFU); }

using std::isfinite;
using std::isnan;
inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
template <class T>
T atomicAdd(T* address, T value) {
  const T before = *address;
  *address = before + value;
  return before;
}
template <class T>
T atomicMax(T* address, T value) {
  const T before = *address;
  if (value > before) *address = value;
  return before;
}

// NOLINTEND(bugprone-reserved-identifier,bugprone-macro-parentheses)

namespace grpo::kernels {

/// A bfloat16 in memory.
struct bf16 {
  uint16_t bits;
};
inline float to_float(float value) { return value; }
inline float to_float(bf16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }
template <class T>
T from_float(float value);
template <>
inline float from_float<float>(float value) {
  return value;
}
template <>
inline bf16 from_float<bf16>(float value) {  // to nearest even
  if (std::isnan(value)) return {0x7FFF};
  const auto bits = std::bit_cast<uint32_t>(value);
  return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

/// Every thread of every block runs kernel(args...).
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, unsigned block, size_t shared_bytes, CUstream_st* stream, Arguments... args) {
  host::enqueue(stream, [=] { host::run_grid(grid, block, shared_bytes, [&] { kernel(static_cast<Parameters>(args)...); }); });
}

}  // namespace grpo::kernels
