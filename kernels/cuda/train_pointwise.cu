#include "train_kernels.cuh"

namespace grpo::kernels {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ float sigmoid(float x) { return 1.0F / (1.0F + expf(-x)); }

template <class T>
__global__ void swiglu(const T* gate_up, T* y, int64_t dim) {
  const int64_t row = blockIdx.x, i = int64_t{blockIdx.y} * kThreads + threadIdx.x;
  if (i >= dim) return;
  const T* in = gate_up + row * 2 * dim + i;
  const float gate = to_float(in[0]);
  y[row * dim + i] = from_float<T>(gate * sigmoid(gate) * to_float(in[dim]));
}

template <class T>
__global__ void swiglu_backward(const T* dy, const T* gate_up, T* dgate_up, int64_t dim) {
  const int64_t row = blockIdx.x, i = int64_t{blockIdx.y} * kThreads + threadIdx.x;
  if (i >= dim) return;
  const int64_t at = row * 2 * dim + i;
  const float gradient = to_float(dy[row * dim + i]), gate = to_float(gate_up[at]), up = to_float(gate_up[at + dim]);
  const float s = sigmoid(gate), silu = gate * s;
  dgate_up[at] = from_float<T>(gradient * up * (s + silu * (1.0F - s)));
  dgate_up[at + dim] = from_float<T>(gradient * silu);
}

template <class T>
__global__ void embedding(const int32_t* ids, const T* table, T* out, int64_t dim) {
  const int64_t row = blockIdx.x, i = int64_t{blockIdx.y} * kThreads + threadIdx.x;
  if (i < dim) out[row * dim + i] = table[ids[row] * dim + i];
}

/// The first of equal ids sums the rows of all of them, in order.
template <class T>
__global__ void embedding_backward(const T* dout, const int32_t* ids, const int64_t* order, T* dtable, int64_t rows, int64_t dim) {
  const int64_t place = blockIdx.x, i = int64_t{blockIdx.y} * kThreads + threadIdx.x;
  const int32_t id = ids[order[place]];
  if (i >= dim || (place > 0 && ids[order[place - 1]] == id)) return;
  float sum = 0.0F;
  for (int64_t p = place; p < rows && ids[order[p]] == id; ++p) sum += to_float(dout[order[p] * dim + i]);
  T& total = dtable[id * dim + i];
  total = from_float<T>(to_float(total) + sum);
}

/// A block a row and 256 columns.
dim3 grid_of_columns(int64_t rows, int64_t dim) { return grid_of(rows, div_up<int64_t>(dim, kThreads)); }

template <class T>
void launch_swiglu(const void* gate_up, void* y, int64_t rows, int64_t dim, CUstream_st* stream) {
  if (rows == 0) return;
  launch(swiglu<T>, grid_of_columns(rows, dim), kThreads, 0, stream, static_cast<const T*>(gate_up), static_cast<T*>(y), dim);
}

template <class T>
void launch_swiglu_backward(const void* dy, const void* gate_up, void* dgate_up, int64_t rows, int64_t dim, CUstream_st* stream) {
  if (rows == 0) return;
  launch(swiglu_backward<T>, grid_of_columns(rows, dim), kThreads, 0, stream, static_cast<const T*>(dy), static_cast<const T*>(gate_up),
         static_cast<T*>(dgate_up), dim);
}

template <class T>
void launch_embedding(const int32_t* ids, const void* table, void* out, int64_t rows, int64_t dim, CUstream_st* stream) {
  if (rows == 0) return;
  launch(embedding<T>, grid_of_columns(rows, dim), kThreads, 0, stream, ids, static_cast<const T*>(table), static_cast<T*>(out), dim);
}

template <class T>
void launch_embedding_backward(const void* dout, const int32_t* ids, const int64_t* order, void* dtable, int64_t rows, int64_t dim,
                               CUstream_st* stream) {
  if (rows == 0) return;
  launch(embedding_backward<T>, grid_of_columns(rows, dim), kThreads, 0, stream, static_cast<const T*>(dout), ids, order,
         static_cast<T*>(dtable), rows, dim);
}

}  // namespace

template <class T>
void add_pointwise_kernels(CudaTrainKernels& table) {
  table.swiglu = launch_swiglu<T>;
  table.swiglu_backward = launch_swiglu_backward<T>;
  table.embedding = launch_embedding<T>;
  table.embedding_backward = launch_embedding_backward<T>;
}
template void add_pointwise_kernels<float>(CudaTrainKernels&);
template void add_pointwise_kernels<bf16>(CudaTrainKernels&);

}  // namespace grpo::kernels
