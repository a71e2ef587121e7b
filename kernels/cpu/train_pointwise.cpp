#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

/// Of a vector the first `count` ≤ kLanes.
void store_some(float* p, const Vector& v, int64_t count) {
  if (count == kLanes) return store(p, v);
  float lanes[kLanes];
  store(lanes, v);
  std::copy(lanes, lanes + count, p);
}

/// Calls work(row, first column, count) for a row's vectors, the last one shorter.
template <class Work>
void for_each_vector(int64_t rows, int64_t dim, const Work& work) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < dim; j += kLanes) work(row, j, std::min<int64_t>(kLanes, dim - j));
  }
}

}  // namespace

void swiglu(const float* gate_up, float* y, int64_t rows, int64_t dim) {
  for_each_vector(rows, dim, [=](int64_t row, int64_t j, int64_t count) {
    const float* from = gate_up + row * 2 * dim + j;
    const Vector gate = load_some(from, count), up = load_some(from + dim, count);
    store_some(y + row * dim + j, gate / (1.0F + exp_lanes(-gate)) * up, count);  // in the order of decode_linear_swiglu
  });
}

void swiglu_backward(const float* dy, const float* gate_up, float* dgate_up, int64_t rows, int64_t dim) {
  for_each_vector(rows, dim, [=](int64_t row, int64_t j, int64_t count) {
    const int64_t at = row * 2 * dim + j;
    const Vector gate = load_some(gate_up + at, count), up = load_some(gate_up + at + dim, count),
                 grad = load_some(dy + row * dim + j, count);
    const Vector sigmoid = 1.0F / (1.0F + exp_lanes(-gate)), silu = gate * sigmoid;
    store_some(dgate_up + at, grad * up * multiply_add(silu, 1.0F - sigmoid, sigmoid), count);
    store_some(dgate_up + at + dim, grad * silu, count);
  });
}

void adamw(float* weights, const float* gradients, float* exp_avg, float* exp_avg_sq, int64_t begin, int64_t end, const AdamWStep& step) {
  const float step_size = step.learning_rate / step.bias_correction1;
  const float inverse_root = 1.0F / std::sqrt(step.bias_correction2);
  const float keep = 1.0F - step.learning_rate * step.weight_decay;
#pragma omp parallel for schedule(static)
  for (int64_t i = begin; i < end; ++i) {
    const float g = gradients[i] * step.gradient_scale;
    const float m = multiply_add(step.beta1, exp_avg[i], (1.0F - step.beta1) * g);
    const float v = multiply_add(step.beta2, exp_avg_sq[i], (1.0F - step.beta2) * g * g);
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weights[i] = multiply_add(weights[i], keep, -(step_size * m / multiply_add(std::sqrt(v), inverse_root, step.epsilon)));
  }
}

double sum_of_squares(const float* x, int64_t count) {
  constexpr int64_t kChunk = 4096;
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  std::vector<double> partial(static_cast<size_t>(chunks));
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    double sum = 0.0;
    for (int64_t i = chunk * kChunk; i < std::min(count, (chunk + 1) * kChunk); ++i) sum += static_cast<double>(x[i]) * x[i];
    partial[static_cast<size_t>(chunk)] = sum;
  }
  double total = 0.0;
  for (const double sum : partial) total += sum;
  return total;
}

}  // namespace grpo::kernels::GRPO_ISA
