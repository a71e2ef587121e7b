#include <cmath>
#include <cstdlib>

#include "grpo/core/error.h"
#include "grpo/io/gguf.h"
#include "grpo/model/config.h"
#include "model/token_ids.h"

namespace grpo {
namespace {

/// Metadata floats are float32: 1e-5 reads 9.99999975e-06. Seven significant digits give back what was meant.
double rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  return std::strtod(text, nullptr);
}

void read_scaling(const Gguf& gguf, const std::string& arch, RopeConfig& rope, int64_t context) {
  const auto type = gguf.get_string(arch + ".rope.scaling.type", "none");
  rope.factor = rounded(gguf.get_float(arch + ".rope.scaling.factor", 1.0));
  rope.original_max_position_embeddings = gguf.get_int(arch + ".rope.scaling.original_context_length", context);
  if (type == "none") {
    rope.type = RopeConfig::Type::kDefault;
  } else if (type == "linear") {
    rope.type = RopeConfig::Type::kLinear;
  } else if (type == "yarn") {
    rope.type = RopeConfig::Type::kYarn;
    rope.attention_factor = rope.factor > 1.0 ? 0.1 * std::log(rope.factor) + 1.0 : 1.0;
  } else {
    fail("gguf", "expected a rope scaling of none, linear or yarn; got '" + type + "'");
  }
}

std::optional<int32_t> special_id(const Gguf& gguf, const std::string& key, int64_t vocab_size) {
  return known_id(gguf.get_int(key, -1), vocab_size, "the GGUF file: " + key);
}

}  // namespace

ModelConfig model_config_from_gguf(const Gguf& gguf) {
  const auto arch = gguf.get_string("general.architecture");
  GRPO_CHECK(arch == "llama" || arch == "qwen2" || arch == "qwen3", "gguf",
             "expected architecture llama, qwen2 or qwen3; got '" + arch + "'");
  GRPO_CHECK(gguf.find("rope_freqs.weight") == nullptr, "gguf",
             "frequency factors (rope_freqs.weight) are not supported: convert from the original");
  const auto key = [&arch](const char* name) { return arch + "." + name; };
  const auto* embedding = gguf.find("token_embd.weight");
  GRPO_CHECK(embedding != nullptr && embedding->shape.size() == 2, "gguf", "expected a matrix token_embd.weight");
  ModelConfig c;
  c.model_type = arch;
  c.vocab_size = embedding->shape[0];
  c.hidden_size = gguf.get_int(key("embedding_length"));
  c.intermediate_size = gguf.get_int(key("feed_forward_length"));
  c.num_hidden_layers = gguf.get_int(key("block_count"));
  c.num_attention_heads = gguf.get_int(key("attention.head_count"));
  c.num_key_value_heads = gguf.get_int(key("attention.head_count_kv"), c.num_attention_heads);
  c.head_dim = gguf.get_int(key("attention.key_length"), c.num_attention_heads > 0 ? c.hidden_size / c.num_attention_heads : 0);
  c.rms_norm_eps = rounded(gguf.get_float(key("attention.layer_norm_rms_epsilon"), 1e-6));
  c.max_position_embeddings = gguf.get_int(key("context_length"));
  c.tie_word_embeddings = gguf.find("output.weight") == nullptr;
  c.qkv_bias = gguf.find("blk.0.attn_q.bias") != nullptr;
  c.qk_norm = gguf.find("blk.0.attn_q_norm.weight") != nullptr;
  c.rope.theta = rounded(gguf.get_float(key("rope.freq_base"), 10000.0));
  read_scaling(gguf, arch, c.rope, c.max_position_embeddings);
  c.bos_token_id = special_id(gguf, "tokenizer.ggml.bos_token_id", c.vocab_size).value_or(-1);
  c.pad_token_id = special_id(gguf, "tokenizer.ggml.padding_token_id", c.vocab_size).value_or(-1);
  if (const auto end = special_id(gguf, "tokenizer.ggml.eos_token_id", c.vocab_size)) c.eos_token_ids = {*end};
  validate(c);
  return c;
}

}  // namespace grpo
