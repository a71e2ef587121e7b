#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

void rotate(float* x, const float* cos, const float* sin, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i) {
    const float low = x[i], high = x[i + pairs];
    x[i] = low * cos[i] - high * sin[i];
    x[i + pairs] = high * cos[i] + low * sin[i];
  }
}

}  // namespace

void rms_norm_row(const float* x, const float* weight, float eps, float* y, int64_t dim) {
  const float scale = 1.0F / __builtin_sqrtf(dot(x, x, dim) / static_cast<float>(dim) + eps);
  for (int64_t i = 0; i < dim; ++i) y[i] = x[i] * scale * weight[i];
}

void rotate_and_store(const QkvRow& row) {
  const int64_t dim = row.head_dim, columns = value_columns(dim);
  for (int64_t h = 0; h < row.heads + row.kv_heads; ++h) {
    float* head = row.qkv + h * dim;
    const float* norm = h < row.heads ? row.q_norm : row.k_norm;
    if (norm != nullptr) rms_norm_row(head, norm, row.eps, head, dim);
    rotate(head, row.cos, row.sin, row.pairs);
  }
  for (int64_t i = 0; i < row.heads * dim; ++i) row.qkv[i] *= row.scale;

  const int64_t block = row.entry / kTileColumns, column = row.entry % kTileColumns;
  for (int64_t h = 0; h < row.kv_heads; ++h) {
    const float* key = row.qkv + (row.heads + h) * dim;
    const float* value = key + row.kv_heads * dim;
    float* keys = row.keys + h * row.key_stride + block * dim * kTileColumns + column;
    float* values = row.values + h * row.value_stride + row.entry * columns;
    for (int64_t i = 0; i < dim; ++i) keys[i * kTileColumns] = key[i];
    for (int64_t i = 0; i < dim; ++i) values[i] = value[i];
    for (int64_t i = dim; i < columns; ++i) values[i] = 0.0F;
  }
}

}  // namespace grpo::kernels::GRPO_ISA
