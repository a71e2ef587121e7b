#pragma once

#include <cstdint>
#include <string_view>

#include "buffer.h"
#include "decode.h"
#include "grpo/model/view.h"

namespace grpo {

/// A linear layer in fp32 column panels, LoRA folded in.
class PackedLinear {
 public:
  enum class Layout {
    kRows,    // panel column j of panel p is output panel_columns * p + j
    kHalves,  // outputs are [first half; second half]: each panel has as many columns of the one, then of the other
  };

  /// Call from outside parallel regions: it splits panels over `threads`.
  void pack(const LinearView& view, Layout layout, int64_t panel_columns, int threads, std::string_view what);

  int64_t panels() const { return panels_; }
  int64_t bytes() const { return panels_ * columns_ * depth_ * static_cast<int64_t>(sizeof(float)); }
  kernels::LinearPanel panel(int64_t p) const {
    const float* bias = has_bias_ ? bias_.data() + p * columns_ : nullptr;
    return {weight_.data() + p * depth_ * columns_, bias, depth_};
  }

 private:
  void pack_panel(const LinearView& view, Layout layout, int64_t p, float* row);

  FloatBuffer weight_, bias_;
  int64_t panels_ = 0, columns_ = 0, depth_ = 0;
  bool has_bias_ = false;
};

}  // namespace grpo
