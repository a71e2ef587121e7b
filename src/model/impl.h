#pragma once

#include <memory>
#include <vector>

#include "grpo/model/transformer.h"
#include "model/layout.h"
#include "ops/ops.h"

namespace grpo {

/// A packed batch as tensors on the model's device.
struct BatchInputs {
  ops::PackedLayout layout;
  ops::RowIndex tokens;  // N of the embedding
  ops::RowIndex rows;    // M of the hidden states
  at::Tensor targets;    // [M] int32
};

/// Calls `write` with memory for all values of a contiguous parameter, whatever its type and device.
void write_floats(const at::Tensor& parameter, const std::function<void(float*)>& write);

ops::ProductOptions product_options(const ComputeOptions& compute);

struct Transformer::Impl {
  std::unique_ptr<ParameterArena> embedding, head;
  std::vector<std::unique_ptr<ParameterArena>> layers;
  LayerSlots slots;     // alike in every layer
  at::Tensor cos, sin;  // [max_position_embeddings, head_dim/2]

  BatchInputs inputs(const PackedTokens& batch, const ModelConfig& config) const;
  /// One decoder layer; x [N, D].
  at::Tensor layer(const ModelConfig& config, size_t index, const at::Tensor& x, const ops::PackedLayout& layout,
                   const ops::ProductOptions& options) const;
  const at::Tensor& head_weight(const ModelConfig& config) const;
};

}  // namespace grpo
