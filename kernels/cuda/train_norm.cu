#include "reduce.cuh"
#include "train_kernels.cuh"

namespace grpo::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;

template <class T>
__global__ void rms_norm(const T* x, const T* weight, T* y, float* rstd, int64_t dim, float eps) {
  const int64_t row = blockIdx.x;
  x += row * dim;
  y += row * dim;
  float squares = 0.0F;
  for (int64_t i = threadIdx.x; i < dim; i += kThreads) squares += to_float(x[i]) * to_float(x[i]);
  const float factor = rsqrtf(block_reduce(squares, Sum(), 0.0F) / static_cast<float>(dim) + eps);
  if (threadIdx.x == 0) rstd[row] = factor;
  for (int64_t i = threadIdx.x; i < dim; i += kThreads) y[i] = from_float<T>(to_float(x[i]) * factor * to_float(weight[i]));
}

/// dx = rstd w dy - x rstd^3 / dim sum(w dy x), and the block's part of dweight = sum of rows dy x rstd, whose columns have a thread each.
template <class T>
__global__ void rms_norm_backward(const T* dy, const T* x, const T* weight, const float* rstd, T* dx, float* partials, int64_t rows,
                                  int64_t dim) {
  GRPO_DYNAMIC_SHARED(float, sums);
  for (int64_t i = threadIdx.x; i < dim; i += kThreads) sums[i] = 0.0F;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const int64_t begin = row * dim;
    float projection = 0.0F;
    for (int64_t i = threadIdx.x; i < dim; i += kThreads) {
      projection += to_float(weight[i]) * to_float(dy[begin + i]) * to_float(x[begin + i]);
    }
    projection = block_reduce(projection, Sum(), 0.0F);
    const float r = rstd[row], factor = projection * r * r * r / static_cast<float>(dim);
    for (int64_t i = threadIdx.x; i < dim; i += kThreads) {
      const float gradient = to_float(dy[begin + i]), value = to_float(x[begin + i]);
      sums[i] += gradient * value * r;
      dx[begin + i] = from_float<T>(r * to_float(weight[i]) * gradient - factor * value);
    }
  }
  for (int64_t i = threadIdx.x; i < dim; i += kThreads) partials[blockIdx.x * dim + i] = sums[i];
}

/// total [dim] += the sum of `blocks` rows of partials, `stride` apart. A warp takes 32 columns of every eighth row.
__global__ void add_partials(const float* partials, float* total, int64_t blocks, int64_t stride, int64_t dim) {
  GRPO_SHARED(float, slices, kThreads);
  const int64_t column = blockIdx.x * kWarp + threadIdx.x % kWarp;
  float sum = 0.0F;
  for (int64_t b = threadIdx.x / kWarp; b < blocks && column < dim; b += kWarps) sum += partials[b * stride + column];
  slices[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x >= kWarp || column >= dim) return;
  for (int slice = 1; slice < kWarps; ++slice) sum += slices[slice * kWarp + threadIdx.x];
  total[column] += sum;
}

void launch_add_partials(const float* partials, float* total, int64_t blocks, int64_t stride, int64_t dim, CUstream_st* stream) {
  launch(add_partials, grid_of(div_up<int64_t>(dim, kWarp)), kThreads, 0, stream, partials, total, blocks, stride, dim);
}

/// One head of one row, which a warp works on; its elements begin at `index` * head_dim.
template <class T>
struct Head {
  const T* weight;  // of its norm, or null
  const float *cos, *sin;
  int64_t pairs;  // 0 for v
  int64_t rstd;   // index
  bool query;
};

template <class T>
__device__ Head<T> head_of(const QkNormRope& args, int64_t index) {
  const int64_t rotated = args.heads + args.kv_heads, all = rotated + args.kv_heads;
  const int64_t row = index / all, head = index % all, table = args.positions[row] * args.pairs;
  const bool query = head < args.heads;
  Head<T> found{static_cast<const T*>(query ? args.q_norm : args.k_norm),
                args.cos + table,
                args.sin + table,
                args.pairs,
                row * rotated + head,
                query};
  if (head >= rotated) {
    found.weight = nullptr;
    found.pairs = 0;
  }
  return found;
}

/// Element i of the head after its rotation, forwards (1) or backwards (-1); at(i) gives the elements before it.
template <class T, class At>
__device__ float rotated(const Head<T>& head, int64_t i, float direction, const At& at) {
  if (i >= 2 * head.pairs) return at(i);
  const bool low = i < head.pairs;
  const int64_t pair = low ? i : i - head.pairs;
  const float sin = direction * head.sin[pair];
  return at(i) * head.cos[pair] + (low ? -at(i + head.pairs) : at(pair)) * sin;
}

template <class T>
__global__ void qk_norm_rope(QkNormRope args, T* out, float eps) {
  const int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp, dim = args.head_dim;
  if (index >= args.rows * (args.heads + 2 * args.kv_heads)) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const Head<T> head = head_of<T>(args, index);
  const T* x = static_cast<const T*>(args.qkv) + index * dim;
  T* y = out + index * dim;
  float factor = 1.0F;
  if (head.weight != nullptr) {
    float squares = 0.0F;
    for (int64_t i = lane; i < dim; i += kWarp) squares += to_float(x[i]) * to_float(x[i]);
    factor = rsqrtf(warp_reduce(squares, Sum()) / static_cast<float>(dim) + eps);
    if (lane == 0) args.rstd[head.rstd] = factor;
  }
  const auto normed = [&](int64_t i) {
    return head.weight == nullptr ? to_float(x[i]) : to_float(x[i]) * factor * to_float(head.weight[i]);
  };
  for (int64_t i = lane; i < dim; i += kWarp) y[i] = from_float<T>(rotated(head, i, 1.0F, normed));
}

/// One head's dqkv; the gradient of its norm's weight is added to dweight.
template <class T>
__device__ void head_backward(const QkNormRope& args, const QkNormRopeGradient& gradient, int64_t index, float* dweight) {
  const int64_t dim = args.head_dim;
  const Head<T> head = head_of<T>(args, index);
  const T* x = static_cast<const T*>(args.qkv) + index * dim;
  const T* dout = static_cast<const T*>(gradient.dout) + index * dim;
  T* dx = static_cast<T*>(gradient.dqkv) + index * dim;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto at = [&](int64_t i) { return to_float(dout[i]); };
  if (head.weight == nullptr) {
    for (int64_t i = lane; i < dim; i += kWarp) dx[i] = from_float<T>(rotated(head, i, -1.0F, at));
    return;
  }
  float projection = 0.0F;
  for (int64_t i = lane; i < dim; i += kWarp) projection += rotated(head, i, -1.0F, at) * to_float(head.weight[i]) * to_float(x[i]);
  const float r = args.rstd[head.rstd], factor = warp_reduce(projection, Sum()) * r * r * r / static_cast<float>(dim);
  if (!head.query) dweight += dim;
  for (int64_t i = lane; i < dim; i += kWarp) {
    const float g = rotated(head, i, -1.0F, at), value = to_float(x[i]);
    dweight[i] += g * value * r;
    dx[i] = from_float<T>(r * to_float(head.weight[i]) * g - factor * value);
  }
}

template <class T>
__global__ void qk_norm_rope_backward(QkNormRope args, QkNormRopeGradient gradient) {
  GRPO_DYNAMIC_SHARED(float, sums);  // [kWarps, 2 d]: of each warp's heads, dq_norm and dk_norm
  const int64_t warp = threadIdx.x / kWarp, columns = 2 * args.head_dim;
  float* mine = sums + warp * columns;
  for (int64_t i = threadIdx.x % kWarp; i < args.head_dim; i += kWarp) mine[i] = mine[args.head_dim + i] = 0.0F;
  const int64_t heads = args.rows * (args.heads + 2 * args.kv_heads);
  for (int64_t index = int64_t{blockIdx.x} * kWarps + warp; index < heads; index += int64_t{gridDim.x} * kWarps) {
    head_backward<T>(args, gradient, index, mine);
  }
  if (gradient.partials == nullptr) return;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < columns; i += kThreads) {
    float sum = 0.0F;
    for (int w = 0; w < kWarps; ++w) sum += sums[w * columns + i];
    gradient.partials[blockIdx.x * columns + i] = sum;
  }
}

template <class T>
void launch_rms_norm(const void* x, const void* weight, void* y, float* rstd, int64_t rows, int64_t dim, float eps, CUstream_st* stream) {
  if (rows == 0) return;
  launch(rms_norm<T>, grid_of(rows), kThreads, 0, stream, static_cast<const T*>(x), static_cast<const T*>(weight), static_cast<T*>(y), rstd,
         dim, eps);
}

template <class T>
void launch_rms_norm_backward(const void* dy, const void* x, const void* weight, const float* rstd, void* dx, float* dweight,
                              float* partials, int64_t rows, int64_t dim, CUstream_st* stream) {
  if (rows == 0) return;
  const int64_t blocks = min_of(rows, kPartialBlocks);
  launch(rms_norm_backward<T>, grid_of(blocks), kThreads, static_cast<size_t>(dim) * sizeof(float), stream, static_cast<const T*>(dy),
         static_cast<const T*>(x), static_cast<const T*>(weight), rstd, static_cast<T*>(dx), partials, rows, dim);
  launch_add_partials(partials, dweight, blocks, dim, dim, stream);
}

int64_t blocks_of_heads(const QkNormRope& args) {
  GRPO_CHECK(2 * args.pairs <= args.head_dim, "qk_norm_rope",
             "expected at most head_dim / 2 pairs; got " + std::to_string(args.pairs) + " of " + std::to_string(args.head_dim));
  return div_up<int64_t>(args.rows * (args.heads + 2 * args.kv_heads), kWarps);
}

template <class T>
void launch_qk_norm_rope(const QkNormRope& args, void* out, float eps, CUstream_st* stream) {
  if (args.rows == 0) return;
  launch(qk_norm_rope<T>, grid_of(blocks_of_heads(args)), kThreads, 0, stream, args, static_cast<T*>(out), eps);
}

template <class T>
void launch_qk_norm_rope_backward(const QkNormRope& args, const QkNormRopeGradient& gradient, CUstream_st* stream) {
  if (args.rows == 0) return;
  const int64_t blocks = min_of(blocks_of_heads(args), kPartialBlocks), dim = args.head_dim;
  launch(qk_norm_rope_backward<T>, grid_of(blocks), kThreads, static_cast<size_t>(kWarps * 2 * dim) * sizeof(float), stream, args,
         gradient);
  if (args.q_norm != nullptr) launch_add_partials(gradient.partials, gradient.dq_norm, blocks, 2 * dim, dim, stream);
  if (args.k_norm != nullptr) launch_add_partials(gradient.partials + dim, gradient.dk_norm, blocks, 2 * dim, dim, stream);
}

}  // namespace

template <class T>
void add_norm_kernels(CudaTrainKernels& table) {
  table.rms_norm = launch_rms_norm<T>;
  table.rms_norm_backward = launch_rms_norm_backward<T>;
  table.qk_norm_rope = launch_qk_norm_rope<T>;
  table.qk_norm_rope_backward = launch_qk_norm_rope_backward<T>;
}
template void add_norm_kernels<float>(CudaTrainKernels&);
template void add_norm_kernels<bf16>(CudaTrainKernels&);

}  // namespace grpo::kernels
