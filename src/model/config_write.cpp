#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/model/config.h"

namespace grpo {
namespace {

using Json = nlohmann::ordered_json;

std::shared_ptr<const ModelFamily> writing_family(const ModelConfig& c) {
  if (c.family) return c.family;
  return builtin_families().make(c.model_type);
}

Json rope_scaling(const RopeConfig& r) {
  switch (r.type) {
    case RopeConfig::Type::kDefault:
      return nullptr;
    case RopeConfig::Type::kLinear:
      return {{"rope_type", "linear"}, {"factor", r.factor}};
    case RopeConfig::Type::kLlama3:
      return {{"rope_type", "llama3"},
              {"factor", r.factor},
              {"low_freq_factor", r.low_freq_factor},
              {"high_freq_factor", r.high_freq_factor},
              {"original_max_position_embeddings", r.original_max_position_embeddings}};
    case RopeConfig::Type::kYarn:
      return {{"rope_type", "yarn"},
              {"factor", r.factor},
              {"beta_fast", r.beta_fast},
              {"beta_slow", r.beta_slow},
              {"attention_factor", r.attention_factor},
              {"original_max_position_embeddings", r.original_max_position_embeddings}};
  }
  return nullptr;
}

Json eos_ids(const ModelConfig& c) {
  if (c.eos_token_ids.empty()) return nullptr;
  return c.eos_token_ids.size() == 1 ? Json(c.eos_token_ids.front()) : Json(c.eos_token_ids);
}

Json optional_id(int32_t id) { return id < 0 ? Json(nullptr) : Json(id); }

void write_windows(const ModelConfig& c, ModelFamily::Windows kind, Json& json) {
  if (kind == ModelFamily::Windows::kNone) return;
  const bool qwen = kind == ModelFamily::Windows::kByLayer;
  const auto largest = c.sliding_window.empty() ? 0 : *std::max_element(c.sliding_window.begin(), c.sliding_window.end());
  json["sliding_window"] = largest > 0 ? Json(largest) : Json(nullptr);
  if (qwen) json["use_sliding_window"] = largest > 0;
  if (largest > 0 && qwen) {
    Json types = Json::array();
    for (const int64_t window : c.sliding_window) types.push_back(window > 0 ? "sliding_attention" : "full_attention");
    json["layer_types"] = types;
    json["max_window_layers"] = std::count(c.sliding_window.begin(), c.sliding_window.end(), 0);
  }
}

}  // namespace

std::string model_config_to_json(const ModelConfig& c, const std::string& dtype) {
  const std::string purpose = c.sequence_classifier ? "ForSequenceClassification" : "ForCausalLM";
  const auto family = writing_family(c);
  Json json = {{"architectures", {family->architecture() + purpose}},
               {"model_type", c.model_type},
               {"vocab_size", c.vocab_size},
               {"hidden_size", c.hidden_size},
               {"intermediate_size", c.intermediate_size},
               {"num_hidden_layers", c.num_hidden_layers},
               {"num_attention_heads", c.num_attention_heads},
               {"num_key_value_heads", c.num_key_value_heads},
               {"head_dim", c.head_dim},
               {"hidden_act", "silu"},
               {"rms_norm_eps", c.rms_norm_eps},
               {"max_position_embeddings", c.max_position_embeddings},
               {"tie_word_embeddings", c.tie_word_embeddings},
               {"initializer_range", c.initializer_range},
               {"attention_dropout", 0.0},
               {"rope_theta", c.rope.theta},
               {"rope_scaling", rope_scaling(c.rope)},
               {"bos_token_id", optional_id(c.bos_token_id)},
               {"eos_token_id", eos_ids(c)},
               {"pad_token_id", optional_id(c.pad_token_id)},
               {"torch_dtype", dtype},
               {"use_cache", true}};
  json.update(parse_json<Json>(family->further_keys(c)));
  if (c.sequence_classifier) {  // one label
    // transformers scores a sequence's last token that is no padding: an end token that pads too would not be it
    if (std::ranges::find(c.eos_token_ids, c.pad_token_id) != c.eos_token_ids.end()) json["pad_token_id"] = nullptr;
    json["id2label"] = {{"0", "LABEL_0"}};
    json["label2id"] = {{"LABEL_0", 0}};
  }
  write_windows(c, family->windows(), json);
  return to_text(json, 2) + "\n";
}

std::string generation_config_to_json(const ModelConfig& config, std::optional<int32_t> end_id) {
  ModelConfig c = config;
  if (end_id && std::ranges::find(c.eos_token_ids, *end_id) == c.eos_token_ids.end()) c.eos_token_ids.push_back(*end_id);
  Json json = parse_json<Json>(c.generation_defaults);
  if (c.bos_token_id >= 0) json["bos_token_id"] = c.bos_token_id;
  if (!c.eos_token_ids.empty()) json["eos_token_id"] = eos_ids(c);
  if (c.pad_token_id >= 0) json["pad_token_id"] = c.pad_token_id;
  return to_text(json, 2) + "\n";
}

}  // namespace grpo
