#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/model/family.h"

namespace GRPO_API grpo {

class Gguf;

/// Rotary position embedding (rotate-half: dimensions i and i + rotary_dim/2 form a pair).
struct RopeConfig {
  enum class Type { kDefault, kLinear, kLlama3, kYarn };
  Type type = Type::kDefault;
  double theta = 10000.0;
  double factor = 1.0;                           // linear, llama3, yarn
  double low_freq_factor = 1.0;                  // llama3
  double high_freq_factor = 4.0;                 // llama3
  double beta_fast = 32.0, beta_slow = 1.0;      // yarn
  double attention_factor = 1.0;                 // yarn: cos and sin are multiplied by it
  int64_t original_max_position_embeddings = 0;  // llama3, yarn
};

/// One decoder for every family: what tells Llama, SmolLM2, Qwen2/2.5, Qwen3, Mistral and those that you register apart are these fields.
struct ModelConfig {
  std::string model_type = "llama";                // the family's name in config.json
  std::shared_ptr<const ModelFamily> family = {};  // writes what is the family's; null: the built-in one of that name
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  double rms_norm_eps = 1e-6;
  int64_t max_position_embeddings = 2048;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;  // of the attention's output projection
  bool mlp_bias = false;
  bool qk_norm = false;              // RMSNorm of every q and k head before the rotation
  bool sequence_classifier = false;  // a score of one number (score.weight) in the place of the vocabulary's head: a reward model
  RopeConfig rope;
  std::vector<int64_t> sliding_window;  // per layer: positions that a token sees, itself included; 0 = all. Empty = all layers 0
  std::vector<int32_t> eos_token_ids;   // union of config.json and generation_config.json
  int32_t bos_token_id = -1;            // -1 = none
  int32_t pad_token_id = -1;
  std::string generation_defaults = "{}";  // what else generation_config.json says, a JSON object: kept for the folder that comes out
  double initializer_range = 0.02;         // standard deviation of a new model's matrices

  int64_t window(int64_t layer) const { return sliding_window.empty() ? 0 : sliding_window[static_cast<size_t>(layer)]; }
  int64_t q_size() const { return num_attention_heads * head_dim; }
  int64_t kv_size() const { return num_key_value_heads * head_dim; }
  int64_t qkv_size() const { return q_size() + 2 * kv_size(); }
  int64_t num_parameters() const;
};

/// Throws a usage error naming every field that is missing, contradictory or not supported.
void validate(const ModelConfig& config);

/// Throws a usage error that names the path unless it is a folder with a config.json or a .gguf file.
void expect_model(const std::filesystem::path& path);

/// Reads config.json (both generations of transformers' keys) and generation_config.json of a folder. Unsupported settings
/// (rope types, activations, families) and values of another type are errors that name them; keys that are not known are named in a
/// warning. Begin, end and pad ids beyond the vocabulary are named in a warning and left out; of several begin or pad ids the first is
/// used.
ModelConfig read_model_config(const std::filesystem::path& folder, const FamilyRegistry& families = builtin_families());
ModelConfig model_config_from_json(const std::string& config_json, const std::string& generation_config_json = {},
                                   const FamilyRegistry& families = builtin_families());
ModelConfig model_config_from_gguf(const Gguf& gguf);
/// That of a model folder or a .gguf file, see expect_model.
ModelConfig model_config_at(const std::filesystem::path& path);

/// The config.json and generation_config.json that transformers reads. `dtype`: "float32", "bfloat16" or "float16".
std::string model_config_to_json(const ModelConfig& config, const std::string& dtype);
/// `end_id` ends generated text beside the config's own end ids.
std::string generation_config_to_json(const ModelConfig& config, std::optional<int32_t> end_id = std::nullopt);

/// cos and sin of every (position, pair), scaled by the attention factor: two [positions, head_dim/2] tables, row major.
struct RopeTable {
  int64_t positions = 0, pairs = 0;
  std::vector<float> cos, sin;
};
RopeTable make_rope_table(const ModelConfig& config, int64_t positions);

}  // namespace grpo
