#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/source.h"
#include "grpo/model/lora.h"

namespace GRPO_API grpo {

/// A model to make from nothing if `model.path` is empty: Llama's form, a byte-level tokenizer.
struct NewModelConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t max_position_embeddings = 512;
  bool tie_word_embeddings = true;
  double rope_theta = 10000.0;
  std::vector<std::string> extra_tokens;
};

/// The config's section `model`. `describe` documents its options, and configs/README.md lists them.
struct ModelSection {
  std::string path;
  std::string tokenizer;
  NewModelConfig new_model;
  LoraConfig lora = {};
  enum class Device { kAuto, kCpu, kCuda };
  Device device = Device::kAuto;
  enum class ComputeDType { kAuto, kFloat32, kBFloat16 };
  ComputeDType compute_dtype = ComputeDType::kAuto;
  bool exact = false;
};

void describe(ConfigVisitor& visitor, ModelSection& section);
/// Throws a usage error with a line for each contradiction.
void validate(const ModelSection& section);

/// The config's section `eval`.
struct EvalSection {
  DataSource data;
  int64_t eval_steps = 0;
  int64_t num_generations_eval = 1;
  double temperature = 1.0;
  bool greedy = false;
  int64_t seed = 1234;
  int64_t max_completion_length = 0;
  bool at_start = false;
  bool at_end = false;
};

void describe(ConfigVisitor& visitor, EvalSection& section);

}  // namespace grpo
