#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/train_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

inline float sigmoid(float x) { return 1.0F / (1.0F + exp_approx(-x)); }

}  // namespace

void swiglu(const float* gate_up, float* y, int64_t rows, int64_t dim) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const float* gate = gate_up + row * 2 * dim;
    const float* up = gate + dim;
    float* out = y + row * dim;
    for (int64_t j = 0; j < dim; ++j) out[j] = gate[j] * sigmoid(gate[j]) * up[j];
  }
}

void swiglu_backward(const float* dy, const float* gate_up, float* dgate_up, int64_t rows, int64_t dim) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const float* gate = gate_up + row * 2 * dim;
    const float* up = gate + dim;
    const float* grad = dy + row * dim;
    float* dgate = dgate_up + row * 2 * dim;
    float* dup = dgate + dim;
    for (int64_t j = 0; j < dim; ++j) {
      const float s = sigmoid(gate[j]);
      const float silu = gate[j] * s;
      dup[j] = grad[j] * silu;
      dgate[j] = grad[j] * up[j] * (s + silu * (1.0F - s));
    }
  }
}

void adamw(float* weights, const float* gradients, float* exp_avg, float* exp_avg_sq, int64_t begin, int64_t end, const AdamWStep& step) {
  const float step_size = step.learning_rate / step.bias_correction1;
  const float inverse_root = 1.0F / std::sqrt(step.bias_correction2);
  const float keep = 1.0F - step.learning_rate * step.weight_decay;
#pragma omp parallel for schedule(static)
  for (int64_t i = begin; i < end; ++i) {
    const float g = gradients[i] * step.gradient_scale;
    const float m = step.beta1 * exp_avg[i] + (1.0F - step.beta1) * g;
    const float v = step.beta2 * exp_avg_sq[i] + (1.0F - step.beta2) * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weights[i] = weights[i] * keep - step_size * m / (std::sqrt(v) * inverse_root + step.epsilon);
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
