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

ops::ProductOptions product_options(const ComputeOptions& compute);

struct Transformer::Impl {
  std::unique_ptr<ParameterArena> embedding, head, value_head;  // the last null where there is none
  std::vector<std::unique_ptr<ParameterArena>> layers;
  LayerSlots slots;                                       // alike in every layer
  std::vector<std::unique_ptr<ParameterArena>> adapters;  // by layer; none without LoRA
  LayerAdapterSlots adapter_slots;
  double adapter_scale = 0.0;
  at::Tensor cos, sin;  // [max_position_embeddings, head_dim/2]

  BatchInputs inputs(const PackedTokens& batch, const ModelConfig& config) const;
  /// One decoder layer, with its adapters where there are some and `adapter` says so; x [N, D].
  at::Tensor layer(const ModelConfig& config, size_t index, const at::Tensor& x, const ops::PackedLayout& layout,
                   const ops::ProductOptions& options, bool adapter = true) const;
  /// All layers, from ids to what the last norm reads; [N, D].
  at::Tensor layers_output(const ModelConfig& config, const BatchInputs& in, const ops::ProductOptions& options, bool adapter) const;
  const at::Tensor& head_weight(const ModelConfig& config) const;
  /// The heads over the pairs' rows of the last layer's output x [N, D].
  TokenOutputs outputs(const ModelConfig& config, const at::Tensor& x, const BatchInputs& in, const LogprobOptions& want,
                       int64_t vocab_limit, ops::ProductOptions options) const;
};

}  // namespace grpo
