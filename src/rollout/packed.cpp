#include "packed.h"

#include <algorithm>
#include <vector>

namespace grpo {
namespace {

const void* row_of(const void* matrix, DType dtype, int64_t row, int64_t columns) {
  return static_cast<const char*>(matrix) + row * columns * size_of(dtype);
}

// Adds lora_scale * (B A)[output] of the piece that the output belongs to.
void add_lora(const LinearView& view, int64_t output, float* weights, float* scratch) {
  int64_t b_row = 0;
  for (size_t p = 0; p < view.lora_pieces.size(); ++p) {
    const auto& piece = view.lora_pieces[p];
    if (output < piece.begin || output >= piece.end) {
      b_row += piece.size();
      continue;
    }
    b_row += output - piece.begin;
    for (int64_t r = 0; r < view.rank; ++r) {
      float b = 0.0F;
      convert_to_float(row_of(view.lora_b, view.dtype, b_row * view.rank + r, 1), view.dtype, &b, 1);
      convert_to_float(row_of(view.lora_a, view.dtype, static_cast<int64_t>(p) * view.rank + r, view.in), view.dtype, scratch, view.in);
      for (int64_t i = 0; i < view.in; ++i) weights[i] += view.lora_scale * b * scratch[i];
    }
    return;
  }
}

// One output's weights in fp32: (W * scale + lora_scale * B A)[output].
void read_output(const LinearView& view, int64_t output, float* weights, float* scratch) {
  convert_to_float(row_of(view.weight, view.dtype, output, view.in), view.dtype, weights, view.in);
  if (view.scale != nullptr) {
    for (int64_t i = 0; i < view.in; ++i) weights[i] *= view.scale[output];
  }
  if (view.rank > 0) add_lora(view, output, weights, scratch);
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

// What one thread reuses while it packs.
struct PackedLinear::Scratch {
  std::vector<float> row, lora;
  std::vector<uint32_t> words;
};

void PackedLinear::pack(const LinearView& view, Layout layout, const PackFormat& format, int threads, std::string_view what) {
  columns_ = format.panel_columns;
  words_ = (view.in + format.kernels->per_word - 1) / format.kernels->per_word;
  panels_ = (view.out + columns_ - 1) / columns_;
  if (layout == Layout::kHalves) panels_ = (view.out / 2 + columns_ / 2 - 1) / (columns_ / 2);
  has_bias_ = view.bias != nullptr;
  weight_.resize(panels_ * columns_ * words_, what);
  scale_.resize(panels_ * columns_, what);
  if (has_bias_) bias_.resize(panels_ * columns_, what);
#pragma omp parallel num_threads(threads)
  {
    const auto depth = static_cast<size_t>(view.in);
    Scratch scratch{std::vector<float>(depth), std::vector<float>(depth), std::vector<uint32_t>(static_cast<size_t>(columns_ * words_))};
#pragma omp for schedule(static)
    for (int64_t p = 0; p < panels_; ++p) pack_panel(view, layout, *format.kernels, p, scratch);
  }
}

void PackedLinear::pack_panel(const LinearView& view, Layout layout, const kernels::LinearKernels& kernels, int64_t p, Scratch& scratch) {
  for (int64_t j = 0; j < columns_; ++j) {
    const int64_t output = output_of(layout, p, j, columns_, view.out);
    if (output >= 0) {
      read_output(view, output, scratch.row.data(), scratch.lora.data());
    } else {
      std::fill(scratch.row.begin(), scratch.row.end(), 0.0F);
    }
    kernels::RowScale scale{1.0F, 0};
    kernels.round_row(scratch.row.data(), view.in, scratch.words.data() + j * words_, &scale);
    scale_.data()[p * columns_ + j] = scale.scale;
    if (!has_bias_) continue;
    float* bias = bias_.data() + p * columns_ + j;
    *bias = 0.0F;
    if (output >= 0) convert_to_float(row_of(view.bias, view.dtype, output, 1), view.dtype, bias, 1);
  }
  uint32_t* panel = weight_.data() + p * words_ * columns_;
  for (int64_t w = 0; w < words_; ++w) {
    for (int64_t j = 0; j < columns_; ++j)
      panel[w * columns_ + j] = scratch.words[static_cast<size_t>(j * words_ + w)] ^ kernels.weight_flip;
  }
}

}  // namespace grpo
