#include "model/layout.h"

#include <algorithm>
#include <utility>

namespace grpo {
namespace {

ParameterSlot matrix(int64_t rows, int64_t columns, std::vector<ParameterPiece> pieces) {
  return {.shape = {rows, columns}, .decay = true, .pieces = std::move(pieces)};
}

ParameterSlot vector(int64_t size, std::vector<ParameterPiece> pieces) {
  return {.shape = {size}, .decay = false, .pieces = std::move(pieces)};
}

}  // namespace

std::vector<ParameterSlot> embedding_slots(const ModelConfig& c) {
  return {matrix(c.vocab_size, c.hidden_size, {{"model.embed_tokens.weight", 0, c.vocab_size}})};
}

std::vector<ParameterSlot> layer_slots(const ModelConfig& c, int64_t layer, LayerSlots& numbers) {
  const std::string base = "model.layers." + std::to_string(layer) + ".", attention = base + "self_attn.", mlp = base + "mlp.";
  const int64_t d = c.hidden_size, q = c.q_size(), kv = c.kv_size(), inner = c.intermediate_size;
  std::vector<ParameterSlot> slots;
  const auto add = [&slots](int& number, ParameterSlot slot) {
    number = static_cast<int>(slots.size());
    slots.push_back(std::move(slot));
  };
  const auto qkv = [&](const std::string& kind) {
    return std::vector<ParameterPiece>{
        {attention + "q_proj." + kind, 0, q}, {attention + "k_proj." + kind, q, kv}, {attention + "v_proj." + kind, q + kv, kv}};
  };
  const auto gate_up = [&](const std::string& kind) {
    return std::vector<ParameterPiece>{{mlp + "gate_proj." + kind, 0, inner}, {mlp + "up_proj." + kind, inner, inner}};
  };
  add(numbers.input_norm, vector(d, {{base + "input_layernorm.weight", 0, d}}));
  add(numbers.qkv, matrix(q + 2 * kv, d, qkv("weight")));
  if (c.qkv_bias) add(numbers.qkv_bias, vector(q + 2 * kv, qkv("bias")));
  if (c.qk_norm) {
    add(numbers.q_norm, vector(c.head_dim, {{attention + "q_norm.weight", 0, c.head_dim}}));
    add(numbers.k_norm, vector(c.head_dim, {{attention + "k_norm.weight", 0, c.head_dim}}));
  }
  add(numbers.output, matrix(d, q, {{attention + "o_proj.weight", 0, d}}));
  if (c.output_bias) add(numbers.output_bias, vector(d, {{attention + "o_proj.bias", 0, d}}));
  add(numbers.post_attention_norm, vector(d, {{base + "post_attention_layernorm.weight", 0, d}}));
  add(numbers.gate_up, matrix(2 * inner, d, gate_up("weight")));
  if (c.mlp_bias) add(numbers.gate_up_bias, vector(2 * inner, gate_up("bias")));
  add(numbers.down, matrix(d, inner, {{mlp + "down_proj.weight", 0, d}}));
  if (c.mlp_bias) add(numbers.down_bias, vector(d, {{mlp + "down_proj.bias", 0, d}}));
  return slots;
}

std::vector<ParameterSlot> adapter_slots(const ModelConfig& c, const LoraConfig& lora, int64_t layer, LayerAdapterSlots& numbers) {
  struct Module {
    std::string name;
    int64_t rows;
  };
  const auto& targets = lora.target_modules;
  std::vector<ParameterSlot> slots;
  const auto add = [&](AdapterSlots& adapter, const std::string& block, int64_t in, const std::vector<Module>& modules) {
    std::vector<ParameterPiece> a, b;
    int64_t begin = 0, outputs = 0;
    adapter = {};
    for (const auto& [name, rows] : modules) {
      if (std::find(targets.begin(), targets.end(), name) != targets.end()) {
        const std::string base = "base_model.model.model.layers." + std::to_string(layer) + "." + block + "." + name;
        a.push_back({base + ".lora_A.weight", static_cast<int64_t>(a.size()) * lora.rank, lora.rank});
        b.push_back({base + ".lora_B.weight", outputs, rows});
        adapter.pieces.push_back({begin, begin + rows});
        outputs += rows;
      }
      begin += rows;
    }
    if (a.empty()) return;
    adapter.a = static_cast<int>(slots.size());
    adapter.b = adapter.a + 1;
    const int64_t width = static_cast<int64_t>(a.size()) * lora.rank;
    slots.push_back(matrix(width, in, std::move(a)));
    slots.push_back(matrix(outputs, lora.rank, std::move(b)));
  };
  const int64_t d = c.hidden_size, inner = c.intermediate_size;
  add(numbers.qkv, "self_attn", d, {{"q_proj", c.q_size()}, {"k_proj", c.kv_size()}, {"v_proj", c.kv_size()}});
  add(numbers.output, "self_attn", c.q_size(), {{"o_proj", d}});
  add(numbers.gate_up, "mlp", d, {{"gate_proj", inner}, {"up_proj", inner}});
  add(numbers.down, "mlp", inner, {{"down_proj", d}});
  return slots;
}

std::vector<ParameterSlot> head_slots(const ModelConfig& c) {
  std::vector<ParameterSlot> slots{vector(c.hidden_size, {{"model.norm.weight", 0, c.hidden_size}})};
  if (!c.tie_word_embeddings) slots.push_back(matrix(c.vocab_size, c.hidden_size, {{"lm_head.weight", 0, c.vocab_size}}));
  return slots;
}

int64_t ModelConfig::num_parameters() const {
  int64_t total = 0;
  const auto count = [&total](const std::vector<ParameterSlot>& slots) {
    for (const auto& slot : slots) total += slot.numel();
  };
  LayerSlots numbers;
  count(embedding_slots(*this));
  for (int64_t layer = 0; layer < num_hidden_layers; ++layer) count(layer_slots(*this, layer, numbers));
  count(head_slots(*this));
  return total;
}

}  // namespace grpo
