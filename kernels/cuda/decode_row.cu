#include "../decode_cuda.h"
#include "element.cuh"
#include "reduce.cuh"

namespace grpo::kernels {
namespace {

constexpr int64_t kThreads = 256;

// Threads that share a row of `dim`.
unsigned row_threads(int64_t dim) { return static_cast<unsigned>(min_of(kThreads, round_up<int64_t>(dim, kWarp))); }

template <class T>
__global__ void embed(const StepRow* rows, const T* table, int64_t hidden, float* out) {
  const StepRow row = rows[blockIdx.x];
  if (row.sequence < 0) return;
  const T* from = table + row.token * hidden;
  for (int64_t i = threadIdx.x; i < hidden; i += blockDim.x) out[blockIdx.x * hidden + i] = to_float(from[i]);
}

template <class T>
__global__ void add_norm(AddNorm args) {
  const int64_t begin = blockIdx.x * args.dim;
  float* hidden = args.hidden + begin;
  const T *delta = static_cast<const T*>(args.delta), *bias = static_cast<const T*>(args.bias);
  float squares = 0.0F;
  for (int64_t i = threadIdx.x; i < args.dim; i += blockDim.x) {
    float value = hidden[i];
    if (delta != nullptr) value += to_float(delta[begin + i]);
    if (bias != nullptr) value += to_float(bias[i]);
    hidden[i] = value;
    squares += value * value;
  }
  squares = block_reduce(squares, Sum(), 0.0F);
  const float factor = rsqrtf(squares / static_cast<float>(args.dim) + args.eps);
  const T* weight = static_cast<const T*>(args.weight);
  T* out = static_cast<T*>(args.out) + begin;
  for (int64_t i = threadIdx.x; i < args.dim; i += blockDim.x) out[i] = from_float<T>(hidden[i] * factor * to_float(weight[i]));
}

template <class T>
__global__ void swiglu(const T* gate_up, const T* bias, T* out, int64_t inner) {
  const int64_t i = int64_t{blockIdx.y} * kThreads + threadIdx.x;
  if (i >= inner) return;
  const T* row = gate_up + blockIdx.x * 2 * inner;
  float gate = to_float(row[i]), up = to_float(row[inner + i]);
  if (bias != nullptr) {
    gate += to_float(bias[i]);
    up += to_float(bias[inner + i]);
  }
  out[blockIdx.x * inner + i] = from_float<T>(gate / (1.0F + expf(-gate)) * up);
}

}  // namespace

void embed_cuda(const StepRow* rows, int64_t n, const void* table, Element element, int64_t hidden, float* out, CUstream_st* stream) {
  if (n == 0) return;
  for_element(element, [&](auto type) {
    launch(embed<decltype(type)>, dim3(static_cast<unsigned>(n)), row_threads(hidden), 0, stream, rows,
           static_cast<const decltype(type)*>(table), hidden, out);
  });
}

void add_norm_cuda(const AddNorm& args, int64_t n, Element element, CUstream_st* stream) {
  if (n == 0) return;
  for_element(element,
              [&](auto type) { launch(add_norm<decltype(type)>, dim3(static_cast<unsigned>(n)), row_threads(args.dim), 0, stream, args); });
}

void swiglu_cuda(const void* gate_up, const void* bias, void* out, int64_t n, int64_t inner, Element element, CUstream_st* stream) {
  if (n == 0) return;
  const dim3 grid(static_cast<unsigned>(n), static_cast<unsigned>(div_up<int64_t>(inner, kThreads)));
  for_element(element, [&](auto type) {
    using T = decltype(type);
    launch(swiglu<T>, grid, kThreads, 0, stream, static_cast<const T*>(gate_up), static_cast<const T*>(bias), static_cast<T*>(out), inner);
  });
}

}  // namespace grpo::kernels
