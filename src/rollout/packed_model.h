#pragma once

#include <cstdint>
#include <vector>

#include "grpo/model/view.h"
#include "packed.h"

namespace grpo {

struct PackedLayer {
  PackedLinear qkv, output, gate_up, down;
  std::vector<float> input_norm, post_attention_norm, q_norm, k_norm;  // the last two empty where the model has none
  int64_t window = 0;
};

/// A version of a model's weights as the CPU kernels read them. The embedding stays where it is.
struct PackedModel {
  std::vector<PackedLayer> layers;
  std::vector<float> final_norm;
  PackedLinear head;

  void pack(const ModelView& view, const PackFormat& format, int threads);
  int64_t bytes() const;
};

}  // namespace grpo
