#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/train_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

inline float sigmoid(float x) { return 1.0F / (1.0F + exp_approx(-x)); }

constexpr int64_t kBlock = 256;  // columns whose exponentials are summed before they join the row's double sum

/// Sum over a row of e^(x/T - max), and of that times (x/T - max) where `weighted` is not null.
double sum_exp(const float* x, int64_t n, float inverse_temperature, float max, double* weighted) {
  double total = 0.0, moment = 0.0;
  float e[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = std::min(kBlock, n - begin);
    for (int64_t j = 0; j < count; ++j) e[j] = exp_approx(x[begin + j] * inverse_temperature - max);
    float block = 0.0F, block_moment = 0.0F;
    Vector sum{}, moments{};
    int64_t j = 0;
    for (; j + kLanes <= count; j += kLanes) {
      const Vector v = load(e + j);
      sum += v;
      if (weighted != nullptr) moments += v * (load(x + begin + j) * inverse_temperature - max);
    }
    block = sum_lanes(sum);
    block_moment = sum_lanes(moments);
    for (; j < count; ++j) {
      block += e[j];
      block_moment += e[j] * (x[begin + j] * inverse_temperature - max);
    }
    total += block;
    moment += block_moment;
  }
  if (weighted != nullptr) *weighted = moment;
  return total;
}

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

void token_logprob(const float* logits, const int32_t* targets, float* logprobs, float* lse, float* entropy, int64_t rows, int64_t vocab,
                   int64_t limit, float inverse_temperature) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = logits + row * vocab;
    const float max = row_max(x, limit) * inverse_temperature;
    double moment = 0.0;
    const double sum = sum_exp(x, limit, inverse_temperature, max, entropy != nullptr ? &moment : nullptr);
    const double log_sum = std::log(sum);
    lse[row] = static_cast<float>(max + log_sum);
    const bool masked = targets[row] >= limit;
    logprobs[row] = masked ? -std::numeric_limits<float>::infinity()
                           : static_cast<float>(static_cast<double>(x[targets[row]] * inverse_temperature - max) - log_sum);
    if (entropy != nullptr) entropy[row] = static_cast<float>(log_sum - moment / sum);
  }
}

void token_logprob_backward(float* logits, const int32_t* targets, const float* lse, const float* entropy, const float* dlogprobs,
                            const float* dentropy, int64_t rows, int64_t vocab, int64_t limit, float inverse_temperature) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    float* x = logits + row * vocab;
    const float g = dlogprobs[row] * inverse_temperature;
    if (dentropy != nullptr && dentropy[row] != 0.0F) {
      // dH/dx_j = -p_j (log p_j + H) / T
      const float h = dentropy[row] * inverse_temperature, mean = entropy[row];
      for (int64_t j = 0; j < limit; ++j) {
        const float log_p = x[j] * inverse_temperature - lse[row];
        const float p = exp_approx(log_p);
        x[j] = -p * (g + h * (log_p + mean));
      }
    } else {
      for (int64_t j = 0; j < limit; ++j) x[j] = -g * exp_approx(x[j] * inverse_temperature - lse[row]);
    }
    std::fill(x + limit, x + vocab, 0.0F);
    if (targets[row] < limit) x[targets[row]] += g;
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
