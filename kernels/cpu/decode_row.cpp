#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

void rotate(float* x, const float* cos, const float* sin, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i) {
    const auto [low, high] = rotated(x[i], x[i + pairs], cos[i], sin[i]);
    x[i] = low;
    x[i + pairs] = high;
  }
}

template <class Element>
Element rounded(float x) {
  if constexpr (std::is_same_v<Element, float>) {
    return x;
  } else {
    return to_bfloat16(x);
  }
}

}  // namespace

void rms_norm_row(const float* x, const float* weight, float eps, float* y, int64_t dim) {
  const float scale = 1.0F / __builtin_sqrtf(dot(x, x, dim) / static_cast<float>(dim) + eps);
  for (int64_t i = 0; i < dim; ++i) y[i] = x[i] * scale * weight[i];
}

template <class Element>
void rotate_and_store(const QkvRow& row) {
  const int64_t dim = row.head_dim, columns = value_columns(dim);
  for (int64_t h = 0; h < row.heads + row.kv_heads; ++h) {
    float* head = row.qkv + h * dim;
    const float* norm = h < row.heads ? row.q_norm : row.k_norm;
    if (norm != nullptr) rms_norm_row(head, norm, row.eps, head, dim);
    rotate(head, row.cos, row.sin, row.pairs);
  }
  for (int64_t i = 0; i < row.heads * dim; ++i) row.qkv[i] *= row.scale;

  const int64_t block = row.entry / kKeyBlock, column = row.entry % kKeyBlock;
  for (int64_t h = 0; h < row.kv_heads; ++h) {
    const float* key = row.qkv + (row.heads + h) * dim;
    const float* value = key + row.kv_heads * dim;
    Element* keys = static_cast<Element*>(row.keys) + h * row.key_stride + block * dim * kKeyBlock + column;
    Element* values = static_cast<Element*>(row.values) + h * row.value_stride + row.entry * columns;
    for (int64_t i = 0; i < dim; ++i) keys[i * kKeyBlock] = rounded<Element>(key[i]);
    for (int64_t i = 0; i < dim; ++i) values[i] = rounded<Element>(value[i]);
    for (int64_t i = dim; i < columns; ++i) values[i] = Element{};
  }
}

template void rotate_and_store<float>(const QkvRow&);
template void rotate_and_store<uint16_t>(const QkvRow&);

}  // namespace grpo::kernels::GRPO_ISA
