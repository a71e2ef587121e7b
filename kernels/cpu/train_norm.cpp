#include <omp.h>

#include <cmath>
#include <vector>

#include "cpu/train_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

/// dx = rstd * (w dy) - x * rstd^3 / dim * sum(w dy x); dweight += dy x rstd. One row.
void norm_row_backward(const float* dy, const float* x, const float* weight, float rstd, float* dx, float* dweight, int64_t dim) {
  float projection = 0.0F;
  Vector sum{};
  int64_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) sum = multiply_add(load(dy + i) * load(weight + i), load(x + i), sum);
  projection = sum_lanes(sum);
  for (; i < dim; ++i) projection = multiply_add(dy[i] * weight[i], x[i], projection);
  const float factor = projection * rstd * rstd * rstd / static_cast<float>(dim);
  for (int64_t j = 0; j < dim; ++j) {
    dweight[j] = multiply_add(dy[j] * x[j], rstd, dweight[j]);
    dx[j] = multiply_add(rstd * weight[j], dy[j], -(factor * x[j]));
  }
}

float row_rstd(const float* x, int64_t dim, float eps) { return 1.0F / std::sqrt(dot(x, x, dim) / static_cast<float>(dim) + eps); }

/// Adds per-thread partial sums [threads, dim] to `total` in thread order.
void add_partials(const std::vector<float>& partials, float* total, int64_t dim) {
  for (size_t base = 0; base < partials.size(); base += static_cast<size_t>(dim)) {
    for (int64_t j = 0; j < dim; ++j) total[j] += partials[base + static_cast<size_t>(j)];
  }
}

void rotate(const float* x, const float* cos, const float* sin, float* y, int64_t half, float direction) {
  for (int64_t i = 0; i < half; ++i) {
    const auto [low, high] = rotated(x[i], x[i + half], cos[i], sin[i] * direction);
    y[i] = low;
    y[i + half] = high;
  }
}

}  // namespace

void rms_norm(const float* x, const float* weight, float* y, float* rstd, int64_t rows, int64_t dim, float eps) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * dim;
    float* out = y + row * dim;
    const float r = row_rstd(in, dim, eps);
    rstd[row] = r;
    for (int64_t j = 0; j < dim; ++j) out[j] = in[j] * r * weight[j];
  }
}

void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* rstd, float* dx, float* dweight, int64_t rows,
                       int64_t dim) {
  std::vector<float> partials(static_cast<size_t>(omp_get_max_threads() * dim), 0.0F);
#pragma omp parallel
  {
    float* mine = partials.data() + omp_get_thread_num() * dim;
#pragma omp for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      norm_row_backward(dy + row * dim, x + row * dim, weight, rstd[row], dx + row * dim, mine, dim);
    }
  }
  add_partials(partials, dweight, dim);
}

void qk_norm_rope(const float* qkv, const float* q_norm, const float* k_norm, const float* cos, const float* sin, const int32_t* positions,
                  float* out, float* rstd, int64_t rows, const AttentionShape& shape, float eps) {
  const int64_t d = shape.head_dim, half = d / 2, rotated = shape.heads + shape.kv_heads;
#pragma omp parallel
  {
    std::vector<float> normed(static_cast<size_t>(d));
#pragma omp for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      const float* in = qkv + row * shape.row_stride();
      float* to = out + row * shape.row_stride();
      const float* c = cos + positions[row] * half;
      const float* s = sin + positions[row] * half;
      for (int64_t head = 0; head < rotated; ++head) {
        const float* source = in + head * d;
        const float* weight = head < shape.heads ? q_norm : k_norm;
        if (weight != nullptr) {
          const float r = row_rstd(source, d, eps);
          rstd[row * rotated + head] = r;
          for (int64_t j = 0; j < d; ++j) normed[static_cast<size_t>(j)] = source[j] * r * weight[j];
          source = normed.data();
        }
        rotate(source, c, s, to + head * d, half, 1.0F);
      }
      std::memcpy(to + rotated * d, in + rotated * d, static_cast<size_t>(shape.kv_heads * d) * sizeof(float));
    }
  }
}

void qk_norm_rope_backward(const float* dout, const float* qkv, const float* q_norm, const float* k_norm, const float* cos,
                           const float* sin, const int32_t* positions, const float* rstd, float* dqkv, float* dq_norm, float* dk_norm,
                           int64_t rows, const AttentionShape& shape) {
  const int64_t d = shape.head_dim, half = d / 2, rotated = shape.heads + shape.kv_heads;
  std::vector<float> q_partials(static_cast<size_t>(omp_get_max_threads() * d), 0.0F), k_partials = q_partials;
#pragma omp parallel
  {
    std::vector<float> unrotated(static_cast<size_t>(d));
    float* dq = q_partials.data() + omp_get_thread_num() * d;
    float* dk = k_partials.data() + omp_get_thread_num() * d;
#pragma omp for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      const float* grad = dout + row * shape.row_stride();
      const float* in = qkv + row * shape.row_stride();
      float* to = dqkv + row * shape.row_stride();
      const float* c = cos + positions[row] * half;
      const float* s = sin + positions[row] * half;
      for (int64_t head = 0; head < rotated; ++head) {
        const bool query = head < shape.heads;
        const float* weight = query ? q_norm : k_norm;
        if (weight == nullptr) {
          rotate(grad + head * d, c, s, to + head * d, half, -1.0F);
          continue;
        }
        rotate(grad + head * d, c, s, unrotated.data(), half, -1.0F);
        norm_row_backward(unrotated.data(), in + head * d, weight, rstd[row * rotated + head], to + head * d, query ? dq : dk, d);
      }
      std::memcpy(to + rotated * d, grad + rotated * d, static_cast<size_t>(shape.kv_heads * d) * sizeof(float));
    }
  }
  if (q_norm != nullptr) add_partials(q_partials, dq_norm, d);
  if (k_norm != nullptr) add_partials(k_partials, dk_norm, d);
}

}  // namespace grpo::kernels::GRPO_ISA
