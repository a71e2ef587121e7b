#include "reduce.cuh"
#include "train_kernels.cuh"

namespace grpo::kernels {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void adamw(float* masters, T* weights, const T* gradients, float* exp_avg, float* exp_avg_sq, int64_t begin, int64_t end,
                      AdamWStep step) {
  const int64_t i = begin + int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= end) return;
  const float step_size = step.learning_rate / step.bias_correction1, inverse_root = 1.0F / sqrtf(step.bias_correction2);
  const float g = to_float(gradients[i]) * step.gradient_scale;
  const float m = step.beta1 * exp_avg[i] + (1.0F - step.beta1) * g;
  const float v = step.beta2 * exp_avg_sq[i] + (1.0F - step.beta2) * g * g;
  const float keep = 1.0F - step.learning_rate * step.weight_decay;
  const float weight = masters[i] * keep - step_size * m / (sqrtf(v) * inverse_root + step.epsilon);
  exp_avg[i] = m;
  exp_avg_sq[i] = v;
  masters[i] = weight;
  if (weights != nullptr) weights[i] = from_float<T>(weight);
}

template <class T>
__global__ void block_squares(const T* x, int64_t count, double* partials) {
  const int64_t begin = blockIdx.x * kSquareBlock, end = min_of(begin + kSquareBlock, count);
  double sum = 0.0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) sum += static_cast<double>(to_float(x[i])) * to_float(x[i]);
  sum = block_reduce(sum, Sum(), 0.0);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

__global__ void sum_doubles(const double* values, int64_t count, double* result) {
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += values[i];
  sum = block_reduce(sum, Sum(), 0.0);
  if (threadIdx.x == 0) *result = sum;
}

template <class T>
void launch_adamw(float* masters, void* weights, const void* gradients, float* exp_avg, float* exp_avg_sq, int64_t begin, int64_t end,
                  const AdamWStep& step, CUstream_st* stream) {
  if (begin == end) return;
  launch(adamw<T>, grid_of(div_up<int64_t>(end - begin, kThreads)), kThreads, 0, stream, masters, static_cast<T*>(weights),
         static_cast<const T*>(gradients), exp_avg, exp_avg_sq, begin, end, step);
}

template <class T>
void launch_sum_of_squares(const void* x, int64_t count, double* partials, double* result, CUstream_st* stream) {
  const int64_t blocks = square_partials(count);
  if (blocks > 0) launch(block_squares<T>, grid_of(blocks), kThreads, 0, stream, static_cast<const T*>(x), count, partials);
  launch(sum_doubles, 1, kThreads, 0, stream, partials, blocks, result);
}

}  // namespace

template <class T>
void add_update_kernels(CudaTrainKernels& table) {
  table.adamw = launch_adamw<T>;
  table.sum_of_squares = launch_sum_of_squares<T>;
}
template void add_update_kernels<float>(CudaTrainKernels&);
template void add_update_kernels<bf16>(CudaTrainKernels&);

}  // namespace grpo::kernels
