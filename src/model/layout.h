#pragma once

#include <string>
#include <utility>
#include <vector>

#include "grpo/model/arena.h"
#include "grpo/model/config.h"
#include "grpo/model/lora.h"

// Which slots an arena has and under which Hugging Face names: the single place that knows both.
namespace grpo {

/// Slot numbers within a layer's arena; -1 where the configuration has no such parameter.
struct LayerSlots {
  int input_norm = -1, qkv = -1, qkv_bias = -1, q_norm = -1, k_norm = -1, output = -1, output_bias = -1;
  int post_attention_norm = -1, gate_up = -1, gate_up_bias = -1, down = -1, down_bias = -1;
};

/// The adapters beside one linear layer; a = b = -1 where none of its modules has any.
struct AdapterSlots {
  int a = -1, b = -1;
  std::vector<std::pair<int64_t, int64_t>> pieces;  // of the linear layer's outputs: first, end
};

/// Slot numbers within a layer's adapter arena.
struct LayerAdapterSlots {
  AdapterSlots qkv, output, gate_up, down;
};

std::vector<ParameterSlot> embedding_slots(const ModelConfig& config);
/// Fills `numbers` alike for every layer.
std::vector<ParameterSlot> layer_slots(const ModelConfig& config, int64_t layer, LayerSlots& numbers);
/// Fills `numbers` alike for every layer. Pieces have PEFT's names.
std::vector<ParameterSlot> adapter_slots(const ModelConfig& config, const LoraConfig& lora, int64_t layer, LayerAdapterSlots& numbers);
/// Slot 0 is the final norm; slot 1 the head where embeddings are not tied.
std::vector<ParameterSlot> head_slots(const ModelConfig& config);

}  // namespace grpo
