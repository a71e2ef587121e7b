#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grpo/data/source.h"
#include "grpo/model/lora.h"

namespace grpo {

/// A model to make from nothing where `model.path` is empty: Llama's form, a byte-level tokenizer.
struct NewModelConfig {
  int64_t hidden_size = 0;  // 0 = no new model
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;  // 0 = as many as num_attention_heads
  int64_t max_position_embeddings = 512;
  bool tie_word_embeddings = true;
  double rope_theta = 10000.0;
  std::vector<std::string> extra_tokens;  // texts that become one token each
};

/// The config's section `model`.
struct ModelSection {
  std::string path;       // Hugging Face folder or .gguf
  std::string tokenizer;  // folder, tokenizer.json, .gguf or .model; empty = with the model
  NewModelConfig new_model;
  LoraConfig lora = {};
  enum class Device { kAuto, kCpu, kCuda };
  Device device = Device::kAuto;  // auto: a GPU where there is one that the build can use
  enum class ComputeDType { kAuto, kFloat32, kBFloat16 };
  /// Auto: float32 on the CPU, bfloat16 on CUDA. On the CPU of products in training alone; on CUDA of weights, activations and gradients,
  /// whose optimiser has masters and moments in float32.
  ComputeDType compute_dtype = ComputeDType::kAuto;
  bool exact = false;  // training log-probs equal the sampler's to the last bit; on the CPU
};

void describe(ConfigVisitor& visitor, ModelSection& section);
/// Throws a usage error with a line for each contradiction.
void validate(const ModelSection& section);

/// The config's section `eval`.
struct EvalSection {
  DataSource data;
  int64_t eval_steps = 0;  // 0 = never during training
  int64_t num_generations_eval = 1;
  double temperature = 1.0;
  bool greedy = false;  // add a greedy pass
  int64_t seed = 1234;
  int64_t max_completion_length = 0;  // 0 = as in rollout
  bool at_start = false;
  bool at_end = false;
};

void describe(ConfigVisitor& visitor, EvalSection& section);

}  // namespace grpo
