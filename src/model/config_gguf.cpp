#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <set>
#include <string>

#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/io/gguf.h"
#include "grpo/model/config.h"
#include "io/gguf_end_tokens.h"
#include "model/token_ids.h"

namespace grpo {
namespace {

/// Metadata floats are float32: 1e-5 reads 9.99999975e-06. Seven significant digits give back what was meant.
double rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  return std::strtod(text, nullptr);
}

/// The metadata below the architecture's name: each key is used, known to be harmless, or left over.
class ArchitectureKeys {
 public:
  ArchitectureKeys(const Gguf& gguf, const std::string& name) : gguf_(gguf), prefix_(name + ".") {}

  int64_t integer(const std::string& key) { return gguf_.get_int(use(key)); }
  int64_t integer(const std::string& key, int64_t fallback) { return gguf_.get_int(use(key), fallback); }
  double number(const std::string& key, double fallback) { return rounded(gguf_.get_float(use(key), fallback)); }
  std::string text(const std::string& key, const std::string& fallback) { return gguf_.get_string(use(key), fallback); }
  void ignore(std::initializer_list<const char*> keys) {
    for (const char* key : keys) use(key);
  }
  /// What is asked for changes the function, unless it is absent or neutral.
  void refuse(const std::string& key, bool asked) const {
    GRPO_CHECK(!asked, "gguf", "expected no " + prefix_ + key + ", which is not supported; got one");
  }
  void warn_of_rest() const {
    std::string rest;
    for (const auto& [key, value] : gguf_.metadata()) {
      if (key.starts_with(prefix_) && !used_.contains(key)) rest.append(rest.empty() ? "" : ", ").append(key);
    }
    if (!rest.empty()) log_warn("the GGUF file: not known here and not used: " + rest);
  }

 private:
  const std::string& use(const std::string& key) { return *used_.insert(prefix_ + key).first; }

  const Gguf& gguf_;
  std::string prefix_;
  std::set<std::string> used_;
};

/// Files of before 2023-11 have scale_linear alone; a factor without a type is linear.
void read_gguf_scaling(ArchitectureKeys& keys, RopeConfig& rope, int64_t context) {
  const auto type = keys.text("rope.scaling.type", "linear");
  const double old = keys.number("rope.scale_linear", 1.0), factor = keys.number("rope.scaling.factor", old);
  rope.original_max_position_embeddings = keys.integer("rope.scaling.original_context_length", context);
  keys.ignore({"rope.scaling.finetuned"});
  if (type == "none" || (type == "linear" && (factor == 0.0 || factor == 1.0))) {
    rope.type = RopeConfig::Type::kDefault;
    return;
  }
  rope.factor = factor;
  if (type == "linear") {
    rope.type = RopeConfig::Type::kLinear;
  } else if (type == "yarn") {
    rope.type = RopeConfig::Type::kYarn;
    rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 32.0);
    rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1.0);
    rope.attention_factor = rope.factor > 1.0 ? 0.1 * std::log(rope.factor) + 1.0 : 1.0;
  } else {
    fail("gguf", "expected a rope scaling of none, linear or yarn; got '" + type + "'");
  }
}

/// Keys that other models of these architectures have, or that say nothing of the function.
void check_further_keys(ArchitectureKeys& keys, const ModelConfig& c) {
  keys.ignore({"vocab_size", "tensor_data_layout", "attention.layer_norm_epsilon", "pooling_type", "leading_dense_block_count"});
  for (const char* key : {"attention.scale", "logit_scale", "residual_scale", "embedding_scale", "attention.clamp_kqv",
                          "attention.max_alibi_bias", "attn_logit_softcapping", "final_logit_softcapping"}) {
    keys.refuse(key, keys.number(key, 0.0) != 0.0);
  }
  for (const char* key : {"rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_ext_factor"})
    keys.refuse(key, keys.number(key, 1.0) != 1.0);
  keys.refuse("rope.scaling.yarn_log_multiplier", keys.number("rope.scaling.yarn_log_multiplier", 0.0) != 0.0);
  for (const char* key : {"expert_count", "expert_used_count"}) keys.refuse(key, keys.integer(key, 0) != 0);
  const int64_t rotated = keys.integer("rope.dimension_count", c.head_dim), values = keys.integer("attention.value_length", c.head_dim);
  GRPO_CHECK(rotated == c.head_dim, "gguf",
             "expected rope.dimension_count to be the size of a head, " + std::to_string(c.head_dim) +
                 ", since heads that are rotated in part are not supported; got " + std::to_string(rotated));
  GRPO_CHECK(
      values == c.head_dim, "gguf",
      "expected attention.value_length to be attention.key_length, " + std::to_string(c.head_dim) + "; got " + std::to_string(values));
  keys.warn_of_rest();
}

/// Biases and norms by the tensors of the first layer, as far as transformers' family of that name can have them: what it cannot is an
/// unknown tensor to the loader.
void read_kinds(const Gguf& gguf, ModelConfig& c) {
  const auto any = [&gguf](std::initializer_list<const char*> parts) {
    return std::ranges::any_of(parts, [&](const char* part) { return gguf.find(std::string("blk.0.") + part) != nullptr; });
  };
  const bool biases = any({"attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_output.bias"});
  c.qkv_bias = c.model_type == "qwen2" || biases;
  c.output_bias = c.model_type != "qwen2" && biases;
  c.mlp_bias = c.model_type == "llama" && any({"ffn_gate.bias", "ffn_up.bias", "ffn_down.bias"});
  c.qk_norm = c.model_type == "qwen3";
}

std::optional<int32_t> special_id(const Gguf& gguf, const std::string& key, int64_t vocab_size) {
  return known_id(gguf.get_int(key, -1), vocab_size, "the GGUF file: " + key);
}

}  // namespace

ModelConfig model_config_from_gguf(const Gguf& gguf) {
  const auto arch = gguf.get_string("general.architecture"), kind = gguf.get_string("general.type", "model");
  GRPO_CHECK(kind == "model", "gguf", "expected general.type model; got '" + kind + "'");
  GRPO_CHECK(arch == "llama" || arch == "qwen2" || arch == "qwen3", "gguf",
             "expected architecture llama, qwen2 or qwen3; got '" + arch + "'");
  GRPO_CHECK(gguf.find("rope_freqs.weight") == nullptr, "gguf",
             "frequency factors (rope_freqs.weight) are not supported: convert from the original");
  const auto* embedding = gguf.find("token_embd.weight");
  GRPO_CHECK(embedding != nullptr && embedding->shape.size() == 2, "gguf", "expected a matrix token_embd.weight");
  ArchitectureKeys keys(gguf, arch);
  ModelConfig c;
  c.model_type = arch;
  c.vocab_size = embedding->shape[0];
  c.hidden_size = keys.integer("embedding_length");
  c.intermediate_size = keys.integer("feed_forward_length");
  c.num_hidden_layers = keys.integer("block_count");
  c.num_attention_heads = keys.integer("attention.head_count");
  c.num_key_value_heads = keys.integer("attention.head_count_kv", c.num_attention_heads);
  c.head_dim = keys.integer("attention.key_length", c.num_attention_heads > 0 ? c.hidden_size / c.num_attention_heads : 0);
  c.rms_norm_eps = keys.number("attention.layer_norm_rms_epsilon", 1e-6);
  c.max_position_embeddings = keys.integer("context_length");
  c.tie_word_embeddings = gguf.find("output.weight") == nullptr;
  read_kinds(gguf, c);
  c.rope.theta = keys.number("rope.freq_base", 10000.0);
  read_gguf_scaling(keys, c.rope, c.max_position_embeddings);
  check_further_keys(keys, c);
  c.bos_token_id = special_id(gguf, "tokenizer.ggml.bos_token_id", c.vocab_size).value_or(-1);
  c.pad_token_id = special_id(gguf, "tokenizer.ggml.padding_token_id", c.vocab_size).value_or(-1);
  for (const int64_t id : gguf_end_tokens(gguf)) {
    if (const auto end = known_id(id, c.vocab_size, "the GGUF file: an end token")) c.eos_token_ids.push_back(*end);
  }
  validate(c);
  return c;
}

}  // namespace grpo
