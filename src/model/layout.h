#pragma once

#include <string>
#include <vector>

#include "grpo/model/arena.h"
#include "grpo/model/config.h"

// Which slots an arena has and under which Hugging Face names: the single place that knows both.
namespace grpo {

/// Slot numbers within a layer's arena; -1 where the configuration has no such parameter.
struct LayerSlots {
  int input_norm = -1, qkv = -1, qkv_bias = -1, q_norm = -1, k_norm = -1, output = -1, output_bias = -1;
  int post_attention_norm = -1, gate_up = -1, gate_up_bias = -1, down = -1, down_bias = -1;
};

std::vector<ParameterSlot> embedding_slots(const ModelConfig& config);
/// Fills `numbers` alike for every layer.
std::vector<ParameterSlot> layer_slots(const ModelConfig& config, int64_t layer, LayerSlots& numbers);
/// Slot 0 is the final norm; slot 1 the head where embeddings are not tied.
std::vector<ParameterSlot> head_slots(const ModelConfig& config);

}  // namespace grpo
