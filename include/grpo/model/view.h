#pragma once

#include <cstdint>
#include <vector>

#include "grpo/api.h"
#include "grpo/io/dtype.h"
#include "grpo/model/config.h"

namespace GRPO_API grpo {

/// A linear layer as the decode engine sees it: y = (W x) * scale + bias, and for each LoRA piece p, y[rows of p] += lora_scale * B_p (A_p
/// x). Absent parts are null.
struct LinearView {
  const void* weight = nullptr;  // [out, in], row major, `dtype`
  DType dtype = DType::kF32;
  const float* scale = nullptr;  // [out], for quantised weights
  const void* bias = nullptr;    // [out], `dtype`
  struct Rows {
    int64_t begin = 0, end = 0;
    int64_t size() const { return end - begin; }
    friend bool operator==(const Rows&, const Rows&) = default;
  };
  std::vector<Rows> lora_pieces;  // q, k and v of one matrix have adapters of their own
  const void* lora_a = nullptr;   // [pieces · rank, in], `dtype`: A_p one after the other
  const void* lora_b = nullptr;   // [rows of all pieces, rank], `dtype`: B_p one after the other
  int64_t rank = 0;
  float lora_scale = 0.0F;
  int64_t out = 0, in = 0;

  /// Of A x of all pieces.
  int64_t lora_width() const { return rank * static_cast<int64_t>(lora_pieces.size()); }
};

struct LayerView {
  LinearView qkv;      // rows [q; k; v]
  LinearView output;   // of the attention
  LinearView gate_up;  // rows [gate; up]
  LinearView down;
  const void* input_norm = nullptr;           // [hidden]
  const void* post_attention_norm = nullptr;  // [hidden]
  const void* q_norm = nullptr;               // [head_dim] or null
  const void* k_norm = nullptr;
  int64_t window = 0;  // 0 = full attention
};

/// Raw pointers into the parameter arenas: the one set of weights, as a decoder reads it. Addresses stay fixed for the model's lifetime.
struct ModelView {
  enum class Device : uint8_t { kCpu, kCuda };
  const ModelConfig* config = nullptr;
  const RopeTable* rope = nullptr;
  DType dtype = DType::kF32;         // of norms and the embedding
  const void* embedding = nullptr;   // [vocab, hidden]
  const void* final_norm = nullptr;  // [hidden]
  LinearView head;                   // [vocab, hidden]; the embedding if tied
  std::vector<LayerView> layers;
  Device device = Device::kCpu;  // where all pointers point but `config` and `rope`
  int64_t vocab_limit = 0;       // rows from here on are padding of the vocabulary: never sampled, masked in training
};

}  // namespace grpo
