#include "reduce.cuh"
#include "train_kernels.cuh"

namespace grpo::kernels {
namespace {

constexpr int kThreads = 512;
constexpr int kPerThread = 8;        // columns in the backward
constexpr float kLowest = -3.4e38F;  // finite: differences of two are no NaN

/// Over some logits z: their maximum, sum of e^(z - max), and sum of e^(z - max) (z - max).
struct Softmax {
  float max = kLowest, sum = 0.0F, moment = 0.0F;

  __device__ void rescale(float to) {
    const float shift = max - to, factor = expf(shift);
    moment = factor * (moment + sum * shift);
    sum *= factor;
    max = to;
  }
  __device__ void add(float z) {
    if (z > max) rescale(z);
    const float weight = expf(z - max);
    sum += weight;
    if (weight > 0.0F) moment += weight * (z - max);
  }
};

/// One pass over a row's logits (online softmax: Milakov and Gimelshein, "Online normalizer calculation for softmax").
template <class T>
__global__ void token_logprob(const T* logits, const int32_t* targets, float* logprobs, float* lse, float* entropy, int64_t vocab,
                              int64_t limit, float inverse_temperature) {
  const int64_t row = blockIdx.x;
  const T* x = logits + row * vocab;
  Softmax mine;
  for (int64_t i = threadIdx.x; i < limit; i += kThreads) mine.add(to_float(x[i]) * inverse_temperature);
  mine.rescale(block_reduce(mine.max, Max(), kLowest));
  const float sum = block_reduce(mine.sum, Sum(), 0.0F), moment = block_reduce(mine.moment, Sum(), 0.0F);
  if (threadIdx.x != 0) return;
  const float log_sum = logf(sum);
  const int32_t target = targets[row];
  lse[row] = mine.max + log_sum;
  logprobs[row] = target < limit ? to_float(x[target]) * inverse_temperature - mine.max - log_sum : -INFINITY;
  if (entropy != nullptr) entropy[row] = log_sum - moment / sum;
}

/// dlogits_j = (g (1[j = target] - p_j) - h p_j (log p_j + H)) / T, where g and h are the gradients of log-prob and entropy H.
template <class T>
__global__ void token_logprob_backward(T* logits, const int32_t* targets, const float* lse, const float* entropy, const float* dlogprobs,
                                       const float* dentropy, int64_t vocab, int64_t limit, float inverse_temperature) {
  const int64_t row = blockIdx.x, begin = int64_t{blockIdx.y} * kThreads * kPerThread;
  T* x = logits + row * vocab;
  const float g = dlogprobs[row] * inverse_temperature, row_lse = lse[row];
  const float h = dentropy != nullptr ? dentropy[row] * inverse_temperature : 0.0F, mean = dentropy != nullptr ? entropy[row] : 0.0F;
  const int64_t end = min_of<int64_t>(begin + kThreads * kPerThread, vocab);
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    float gradient = 0.0F;
    if (i < limit) {
      const float log_p = to_float(x[i]) * inverse_temperature - row_lse, p = expf(log_p);
      if (!(p == 0.0F)) gradient = -p * (g + h * (log_p + mean));
      if (i == targets[row]) gradient += g;
    }
    x[i] = from_float<T>(gradient);
  }
}

template <class T>
void launch_token_logprob(const void* logits, const int32_t* targets, float* logprobs, float* lse, float* entropy, int64_t rows,
                          int64_t vocab, int64_t limit, float inverse_temperature, CUstream_st* stream) {
  if (rows == 0) return;
  launch(token_logprob<T>, grid_of(rows), kThreads, 0, stream, static_cast<const T*>(logits), targets, logprobs, lse, entropy, vocab, limit,
         inverse_temperature);
}

template <class T>
void launch_token_logprob_backward(void* logits, const int32_t* targets, const float* lse, const float* entropy, const float* dlogprobs,
                                   const float* dentropy, int64_t rows, int64_t vocab, int64_t limit, float inverse_temperature,
                                   CUstream_st* stream) {
  if (rows == 0) return;
  launch(token_logprob_backward<T>, grid_of(rows, div_up<int64_t>(vocab, kThreads * kPerThread)), kThreads, 0, stream,
         static_cast<T*>(logits), targets, lse, entropy, dlogprobs, dentropy, vocab, limit, inverse_temperature);
}

}  // namespace

template <class T>
void add_logprob_kernels(CudaTrainKernels& table) {
  table.token_logprob = launch_token_logprob<T>;
  table.token_logprob_backward = launch_token_logprob_backward<T>;
}
template void add_logprob_kernels<float>(CudaTrainKernels&);
template void add_logprob_kernels<bf16>(CudaTrainKernels&);

}  // namespace grpo::kernels
