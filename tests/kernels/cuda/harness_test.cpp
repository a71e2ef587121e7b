// The host's execution of CUDA kernels itself: what it computes, and which mistakes it finds. Oracle: hand values.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "cuda/async_copy.cuh"
#include "cuda/mma.cuh"
#include "cuda/reduce.cuh"
#include "cuda/runtime.cuh"
#include "device.h"

namespace grpo::kernels {
namespace {

constexpr uint64_t kOrders = 6;  // ascending, descending, four shuffled

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, const char* what) { return text.find(what) != std::string::npos; }

// Each thread hands its value to its right neighbour through shared memory, twice.
template <bool first_barrier, bool second_barrier>
__global__ void rotate_twice(const int* in, int* out) {
  GRPO_SHARED(int, shared, 64);
  const unsigned self = threadIdx.x, left = (self + 63) % 64;
  int value = in[blockIdx.x * 64 + self];
  for (int round = 0; round < 2; ++round) {
    shared[self] = value;
    if (first_barrier) __syncthreads();
    value = shared[left];
    if (second_barrier) __syncthreads();
  }
  out[blockIdx.x * 64 + self] = value;
}

template <class Kernel>
bool rotates_in_every_order(const Kernel& kernel) {
  std::vector<int> in(192), out(192);
  std::iota(in.begin(), in.end(), 1);
  bool right = true;
  for (uint64_t order = 0; order < kOrders; ++order) {
    host::set_order(order);
    launch(kernel, 3, 64, 0, nullptr, in.data(), out.data());
    for (int i = 0; i < 192; ++i) right = right && out[static_cast<size_t>(i)] == in[static_cast<size_t>(i / 64 * 64 + (i + 62) % 64)];
  }
  return right;
}

TEST(CudaOnHost, MissingBarriersGiveWrongResults) {
  EXPECT_TRUE(rotates_in_every_order(rotate_twice<true, true>));
  EXPECT_FALSE(rotates_in_every_order(rotate_twice<false, true>));
  EXPECT_FALSE(rotates_in_every_order(rotate_twice<true, false>));
}

__global__ void leave_early(bool) {
  if (threadIdx.x == 37) return;
  __syncthreads();
}
__global__ void shuffle_in_part(int* out) {
  if (threadIdx.x < 40) out[threadIdx.x] = __shfl_xor_sync(kFullWarp, static_cast<int>(threadIdx.x), 1);
}
__global__ void shuffle_differently(int* out) {
  out[threadIdx.x] = threadIdx.x % 2 == 0 ? __shfl_xor_sync(kFullWarp, 1, 1) : __shfl_down_sync(kFullWarp, 1, 1);
}
__global__ void shuffle_with_a_mask(int* out) { out[threadIdx.x] = __shfl_xor_sync(0xFFFFU, 1, 1); }

TEST(CudaOnHost, ThreadsThatDoNotMeetAreErrors) {
  std::vector<int> out(64);
  for (uint64_t order = 0; order < kOrders; ++order) {
    host::set_order(order);
    EXPECT_TRUE(contains(error_of([] { launch(leave_early, 1, 64, 0, nullptr, true); }), "63 at a barrier"));
    EXPECT_TRUE(contains(error_of([&] { launch(shuffle_in_part, 1, 64, 0, nullptr, out.data()); }), "__shfl_xor_sync"));
    EXPECT_TRUE(contains(error_of([&] { launch(shuffle_differently, 1, 64, 0, nullptr, out.data()); }), "lanes differ"));
    EXPECT_TRUE(contains(error_of([&] { launch(shuffle_with_a_mask, 1, 64, 0, nullptr, out.data()); }), "full warp"));
    EXPECT_TRUE(contains(error_of([&] { launch(shuffle_in_part, 1, 50, 0, nullptr, out.data()); }), "whole warps"));
    EXPECT_TRUE(contains(error_of([&] { launch(shuffle_in_part, 0, 64, 0, nullptr, out.data()); }), "grid"));
  }
  EXPECT_TRUE(rotates_in_every_order(rotate_twice<true, true>));  // the fibers that were left are gone
}

__global__ void all_warp_operations(int* out) {
  const int self = static_cast<int>(threadIdx.x);
  int* mine = out + self * 8;
  mine[0] = __shfl_sync(kFullWarp, self, 5);
  mine[1] = __shfl_xor_sync(kFullWarp, self, 3);
  mine[2] = __shfl_down_sync(kFullWarp, self, 2U);
  mine[3] = __shfl_up_sync(kFullWarp, self, 4U);
  mine[4] = static_cast<int>(__ballot_sync(kFullWarp, self % 3 == 0));
  mine[5] = warp_reduce(self, Sum());
  mine[6] = block_reduce(self, Max(), -1);
  mine[7] = block_reduce(self, Sum(), 0);
}

TEST(CudaOnHost, WarpAndBlockOperations) {
  constexpr int kThreads = 96;
  std::vector<int> out(kThreads * 8);
  for (uint64_t order = 0; order < kOrders; ++order) {
    host::set_order(order);
    launch(all_warp_operations, 1, kThreads, 0, nullptr, out.data());
    for (int t = 0; t < kThreads; ++t) {
      const int first = t / 32 * 32, lane = t % 32;
      unsigned ballot = 0;
      for (int l = 0; l < 32; ++l) ballot |= static_cast<unsigned>((first + l) % 3 == 0) << l;
      const std::vector<int> expected = {
          first + 5,        first + (lane ^ 3), lane < 30 ? t + 2 : t,        lane >= 4 ? t - 4 : t, static_cast<int>(ballot),
          32 * first + 496, kThreads - 1,       kThreads * (kThreads - 1) / 2};
      EXPECT_EQ(std::vector<int>(out.begin() + t * 8, out.begin() + t * 8 + 8), expected);
    }
  }
}

// Twice through the same reduction: the second call must not overwrite what the first one's slower warps still read.
__global__ void reduce_twice(int* out) {
  int sum = 0;
  for (int round = 1; round <= 3; ++round) sum += round * block_reduce(static_cast<int>(threadIdx.x) * round, Sum(), 0);
  out[threadIdx.x] = sum;
}

TEST(CudaOnHost, ReductionsFollowEachOther) {
  for (uint64_t order = 0; order < 2 * kOrders; ++order) {
    host::set_order(order);
    std::vector<int> out(128);
    launch(reduce_twice, 1, 128, 0, nullptr, out.data());
    EXPECT_EQ(out, std::vector<int>(128, 127 * 64 * (1 + 4 + 9)));
  }
}

__global__ void read_unwritten(float* out, int* integers) {
  GRPO_SHARED(float, fixed, 4);
  GRPO_DYNAMIC_SHARED(int, dynamic);
  out[threadIdx.x] = fixed[threadIdx.x % 4];
  integers[threadIdx.x] = dynamic[threadIdx.x];
  __syncthreads();
  fixed[threadIdx.x % 4] = 1.0F;
  dynamic[threadIdx.x] = 1;
}

TEST(CudaOnHost, SharedMemoryStartsAsNaNInEveryBlock) {
  std::vector<float> out(32);
  std::vector<int> integers(32);
  launch(read_unwritten, 3, 32, 32 * sizeof(int), nullptr, out.data(), integers.data());
  for (const float value : out) EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(integers, std::vector<int>(32, -1));
}

struct alignas(16) Quad {
  float v[4];
};

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
__global__ void write_beyond(float* values, int count) {
  __syncthreads();
  if (static_cast<int>(threadIdx.x) <= count) values[threadIdx.x] = 0.0F;
}

TEST(CudaOnHostDeathTest, AddressSanitizerSeesAccessesBeyondABuffer) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::vector<float> values(11);
  launch(write_beyond, 1, 32, 0, nullptr, values.data(), 10);
  EXPECT_DEATH(launch(write_beyond, 1, 32, 0, nullptr, values.data(), 11), "heap-buffer-overflow");
}
#endif
#endif

// Each thread reads what another one copied.
template <int pending, bool barrier>
__global__ void copy_through_shared(const float* in, float* out) {
  GRPO_SHARED(Quad, buffer, 64);
  const unsigned self = threadIdx.x, other = self ^ 33;
  copy_async16(buffer + self % 32 * 2 + self / 32, in + self * 4, self != 7);
  commit_copies();
  wait_copies<pending>();
  if (barrier) __syncthreads();
  out[self] = buffer[other % 32 * 2 + other / 32].v[1];
}

template <class Kernel>
bool copies_in_every_order(const Kernel& kernel) {
  alignas(16) std::array<float, 256> in;
  std::iota(in.begin(), in.end(), 1.0F);
  std::vector<float> out(64);
  bool right = true;
  for (uint64_t order = 0; order < kOrders; ++order) {
    host::set_order(order);
    launch(kernel, 1, 64, 0, nullptr, in.data(), out.data());
    for (unsigned i = 0; i < 64; ++i) right = right && out[i] == ((i ^ 33) == 7 ? 0.0F : in[(i ^ 33) * 4 + 1]);
  }
  return right;
}

TEST(CudaOnHost, AsynchronousCopiesArriveAtTheWait) {
  EXPECT_TRUE(copies_in_every_order(copy_through_shared<0, true>));
  EXPECT_FALSE(copies_in_every_order(copy_through_shared<1, true>));
  EXPECT_FALSE(copies_in_every_order(copy_through_shared<0, false>));
}

__global__ void multiply_tile(const bf16* a, const bf16* b, float* c) {
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  MmaA left;
  MmaB right;
  for (unsigned i = 0; i < 4; ++i) {
    const bf16* at = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
    left.r[i] = pack_bf16(at[0], at[1]);
  }
  for (unsigned i = 0; i < 2; ++i) right.r[i] = pack_bf16(b[(2 * t + 8 * i) * 8 + g], b[(2 * t + 8 * i + 1) * 8 + g]);
  MmaC sum{{0.5F, 0.5F, 0.5F, 0.5F}};
  mma_m16n8k16(sum, left, right);
  for (unsigned i = 0; i < 4; ++i) c[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum.r[i];
}

// Oracle: plain loops. Small integers, so that every sum is exact.
TEST(CudaOnHost, TensorCoreTile) {
  std::vector<bf16> a(256), b(128);
  std::vector<float> c(128);
  for (size_t i = 0; i < a.size(); ++i) a[i] = from_float<bf16>(static_cast<float>(i * 7 % 13) - 6.0F);
  for (size_t i = 0; i < b.size(); ++i) b[i] = from_float<bf16>(static_cast<float>(i * 5 % 11) - 5.0F);
  launch(multiply_tile, 1, 32, 0, nullptr, a.data(), b.data(), c.data());
  for (size_t i = 0; i < 16; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      float sum = 0.5F;
      for (size_t k = 0; k < 16; ++k) sum += to_float(a[i * 16 + k]) * to_float(b[k * 8 + j]);
      EXPECT_EQ(c[i * 8 + j], sum);
    }
  }
}

}  // namespace

namespace {

__global__ void add_one(float* values) { values[threadIdx.x] += 1.0F; }

TEST(DeviceLayer, MemoryStartsAsNaNAndWorkIsDoneAtTheWait) {
  device::Stream stream;
  device::Buffer buffer;
  buffer.resize(32 * 4, "a test");
  std::vector<float> up(32, 2.0F), down(32, 0.0F);
  device::download(down.data(), buffer.data(), 128, stream.get());
  EXPECT_EQ(down[0], 0.0F);
  stream.synchronize();
  EXPECT_TRUE(std::isnan(down[0]));
  device::upload(buffer.data(), up.data(), 128, stream.get());
  launch(add_one, 1, 32, 0, stream.get(), buffer.data<float>());
  device::download(down.data(), buffer.data(), 128, stream.get());
  stream.synchronize();
  EXPECT_EQ(down, std::vector<float>(32, 3.0F));
}

TEST(DeviceLayer, GraphsReplayWhatWasRecorded) {
  device::Stream stream;
  device::Buffer buffer;
  buffer.resize(128, "a test");
  device::fill(buffer.data(), 0, 128, stream.get());
  const device::Graph graph = device::Graph::capture(stream, [&] { launch(add_one, 1, 32, 0, stream.get(), buffer.data<float>()); });
  std::vector<float> down(32);
  for (int i = 0; i < 3; ++i) graph.replay(stream);
  device::download(down.data(), buffer.data(), 128, stream.get());
  stream.synchronize();
  EXPECT_EQ(down, std::vector<float>(32, 3.0F));
}

TEST(DeviceLayer, EventsOrderStreams) {
  device::Stream first, second;
  device::Event event;
  device::Buffer buffer;
  buffer.resize(128, "a test");
  device::fill(buffer.data(), 0, 128, first.get());
  launch(add_one, 1, 32, 0, first.get(), buffer.data<float>());
  event.record(first);
  event.hold(second);
  std::vector<float> down(32);
  device::download(down.data(), buffer.data(), 128, second.get());
  second.synchronize();
  EXPECT_EQ(down, std::vector<float>(32, 1.0F));
}

// Oracle: plain loops over every transposition.
TEST(DeviceLayer, MatmulEqualsPlainLoops) {
  constexpr int64_t kM = 3, kN = 5, kK = 4, kStride = 7;
  std::vector<float> a(kStride * 5), b(kStride * 5), c(kM * kStride, 1.0F);
  std::iota(a.begin(), a.end(), -9.0F);
  std::iota(b.begin(), b.end(), -4.0F);
  const auto at = [](const std::vector<float>& m, bool transposed, int64_t i, int64_t j) {
    return m[static_cast<size_t>(transposed ? j * kStride + i : i * kStride + j)];
  };
  for (int flags = 0; flags < 4; ++flags) {
    const bool ta = flags % 2 == 1, tb = flags / 2 == 1;
    const std::vector<float> before = c;
    device::matmul({a.data(), device::Element::kF32, kStride, ta}, {b.data(), device::Element::kF32, kStride, tb},
                   {c.data(), device::Element::kF32, kStride, 2.0F, 0.5F}, kM, kN, kK, nullptr);
    for (int64_t i = 0; i < kM; ++i) {
      for (int64_t j = 0; j < kN; ++j) {
        float sum = 0.0F;
        for (int64_t k = 0; k < kK; ++k) sum += at(a, ta, i, k) * at(b, tb, k, j);
        EXPECT_FLOAT_EQ(at(c, false, i, j), 2.0F * sum + 0.5F * at(before, false, i, j));
      }
      EXPECT_EQ(at(c, false, i, kN), 1.0F);
    }
  }
}

}  // namespace
}  // namespace grpo::kernels
