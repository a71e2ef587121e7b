#pragma once

#include <cstdint>
#include <string_view>

#include "buffer.h"
#include "decode.h"
#include "grpo/model/view.h"

namespace grpo {

/// How linear layers are packed.
struct PackFormat {
  const kernels::LinearKernels* kernels;
  int64_t panel_columns;
};

/// A linear layer in column panels, LoRA folded in, rounded to the kernels' type.
class PackedLinear {
 public:
  enum class Layout {
    kRows,    // panel column j of panel p is output panel_columns * p + j
    kHalves,  // outputs are [first half; second half]: each panel has as many columns of the one, then of the other
  };

  /// Call from outside parallel regions: it splits panels over `threads`.
  void pack(const LinearView& view, Layout layout, const PackFormat& format, int threads, std::string_view what);

  int64_t panels() const { return panels_; }
  int64_t bytes() const { return panels_ * columns_ * words_ * static_cast<int64_t>(sizeof(uint32_t)); }
  /// `prefetch_next`: panel p + 1 is read after this one.
  kernels::LinearPanel panel(int64_t p, bool prefetch_next) const {
    const uint32_t* weight = weight_.data() + p * words_ * columns_;
    const float* bias = has_bias_ ? bias_.data() + p * columns_ : nullptr;
    return {weight, scale_.data() + p * columns_, bias, words_, prefetch_next ? weight + words_ * columns_ : nullptr};
  }

 private:
  struct Scratch;
  void pack_panel(const LinearView& view, Layout layout, const kernels::LinearKernels& kernels, int64_t p, Scratch& scratch);

  Buffer<uint32_t> weight_;
  Buffer<float> scale_, bias_;
  int64_t panels_ = 0, columns_ = 0, words_ = 0;
  bool has_bias_ = false;
};

}  // namespace grpo
