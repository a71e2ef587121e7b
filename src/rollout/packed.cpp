#include "packed.h"

#include <string>
#include <vector>

namespace grpo {
namespace {

const void* row_of(const void* matrix, DType dtype, int64_t row, int64_t columns) {
  return static_cast<const char*>(matrix) + row * columns * size_of(dtype);
}

// One output's weights in fp32: (W * scale + lora_scale * B A)[output].
void read_output(const LinearView& view, int64_t output, float* weights, float* scratch) {
  convert_to_float(row_of(view.weight, view.dtype, output, view.in), view.dtype, weights, view.in);
  if (view.scale != nullptr) {
    for (int64_t i = 0; i < view.in; ++i) weights[i] *= view.scale[output];
  }
  for (int64_t r = 0; r < view.rank; ++r) {
    float b = 0.0F;
    convert_to_float(row_of(view.lora_b, view.dtype, output * view.rank + r, 1), view.dtype, &b, 1);
    convert_to_float(row_of(view.lora_a, view.dtype, r, view.in), view.dtype, scratch, view.in);
    for (int64_t i = 0; i < view.in; ++i) weights[i] += view.lora_scale * b * scratch[i];
  }
}

// The output that a panel's column holds; -1 = padding.
int64_t output_of(PackedLinear::Layout layout, int64_t panel, int64_t column, int64_t columns, int64_t out) {
  if (layout == PackedLinear::Layout::kRows) {
    const int64_t output = panel * columns + column;
    return output < out ? output : -1;
  }
  const int64_t half = columns / 2, output = panel * half + column % half;
  return output >= out / 2 ? -1 : (column < half ? output : out / 2 + output);
}

}  // namespace

void PackedLinear::pack(const LinearView& view, Layout layout, int64_t panel_columns, int threads, std::string_view what) {
  columns_ = panel_columns;
  depth_ = view.in;
  panels_ = (view.out + columns_ - 1) / columns_;
  if (layout == Layout::kHalves) panels_ = (view.out / 2 + columns_ / 2 - 1) / (columns_ / 2);
  has_bias_ = view.bias != nullptr;
  weight_.resize(panels_ * columns_ * depth_, what);
  if (has_bias_) bias_.resize(panels_ * columns_, what);
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> row(static_cast<size_t>(2 * depth_));
#pragma omp for schedule(static)
    for (int64_t p = 0; p < panels_; ++p) pack_panel(view, layout, p, row.data());
  }
}

void PackedLinear::pack_panel(const LinearView& view, Layout layout, int64_t p, float* row) {
  float* panel = weight_.data() + p * depth_ * columns_;
  for (int64_t j = 0; j < columns_; ++j) {
    const int64_t output = output_of(layout, p, j, columns_, view.out);
    if (output >= 0) {
      read_output(view, output, row, row + depth_);
    } else {
      for (int64_t i = 0; i < depth_; ++i) row[i] = 0.0F;
    }
    for (int64_t i = 0; i < depth_; ++i) panel[i * columns_ + j] = row[i];
    if (!has_bias_) continue;
    float* bias = bias_.data() + p * columns_ + j;
    *bias = 0.0F;
    if (output >= 0) convert_to_float(row_of(view.bias, view.dtype, output, 1), view.dtype, bias, 1);
  }
}

}  // namespace grpo
