#include "grpo/model/config.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

#include "core/faults.h"
#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "model/token_ids.h"

namespace grpo {
namespace {

using Json = nlohmann::ordered_json;

/// Typed access that names the key in its errors.
template <class T>
T get(const Json& json, const char* key, const T& fallback) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return fallback;
  try {
    return it->get<T>();
  } catch (const Json::exception&) {
    fail("config.json", std::string("expected another type for '") + key + "'; got " + to_text(*it).substr(0, 60));
  }
}

int64_t required(const Json& json, const char* key) {
  GRPO_CHECK(json.contains(key) && json[key].is_number_integer(), "config.json", std::string("expected an integer '") + key + "'");
  return json[key].get<int64_t>();
}

RopeConfig read_rope(const Json& json, int64_t max_positions) {
  RopeConfig rope;
  // transformers 5 writes rope_parameters, older versions rope_theta and rope_scaling.
  Json scaling = json.contains("rope_parameters") ? json["rope_parameters"] : json.value("rope_scaling", Json());
  if (scaling.is_null()) scaling = Json::object();
  GRPO_CHECK(scaling.is_object(), "config.json", "expected an object for rope_parameters or rope_scaling");
  rope.theta = get<double>(scaling, "rope_theta", get<double>(json, "rope_theta", 10000.0));
  const auto type = get<std::string>(scaling, "rope_type", get<std::string>(scaling, "type", "default"));
  rope.factor = get<double>(scaling, "factor", 1.0);
  rope.original_max_position_embeddings = get<int64_t>(scaling, "original_max_position_embeddings", max_positions);
  if (type == "default") {
    rope.type = RopeConfig::Type::kDefault;
  } else if (type == "linear") {
    rope.type = RopeConfig::Type::kLinear;
  } else if (type == "llama3") {
    rope.type = RopeConfig::Type::kLlama3;
    rope.low_freq_factor = get<double>(scaling, "low_freq_factor", 1.0);
    rope.high_freq_factor = get<double>(scaling, "high_freq_factor", 4.0);
  } else if (type == "yarn") {
    rope.type = RopeConfig::Type::kYarn;
    rope.beta_fast = get<double>(scaling, "beta_fast", 32.0);
    rope.beta_slow = get<double>(scaling, "beta_slow", 1.0);
    rope.attention_factor = get<double>(scaling, "attention_factor", rope.factor > 1.0 ? 0.1 * std::log(rope.factor) + 1.0 : 1.0);
    GRPO_CHECK(!scaling.contains("mscale") && !scaling.contains("truncate"), "config.json",
               "yarn with mscale or truncate is not supported");
  } else {
    fail("config.json", "expected a rope type of default, linear, llama3 or yarn; got '" + type + "'");
  }
  return rope;
}

/// Sliding windows per layer from layer_types, use_sliding_window and max_window_layers.
std::vector<int64_t> read_windows(const Json& json, const ModelConfig& c) {
  const auto window = get<int64_t>(json, "sliding_window", 0);
  const bool qwen = c.family->has_layer_types();
  if (window <= 0 || (qwen && !get<bool>(json, "use_sliding_window", false))) return {};
  std::vector<int64_t> windows(static_cast<size_t>(c.num_hidden_layers), window);
  if (json.contains("layer_types") && json["layer_types"].is_array()) {
    GRPO_CHECK(json["layer_types"].size() == windows.size(), "config.json", "expected one layer_types entry per layer");
    for (size_t i = 0; i < windows.size(); ++i) windows[i] = json["layer_types"][i] == "sliding_attention" ? window : 0;
  } else if (qwen) {
    const auto first = get<int64_t>(json, "max_window_layers", 28);
    for (int64_t i = 0; i < std::min<int64_t>(first, c.num_hidden_layers); ++i) windows[static_cast<size_t>(i)] = 0;
  }
  return windows;
}

/// The ids of special tokens under a key of a file, one or a list, as far as the vocabulary has them.
std::vector<int32_t> read_ids(const Json& json, const std::string& key, const std::string& file, int64_t vocab_size) {
  std::vector<int32_t> ids;
  if (!json.contains(key) || json[key].is_null()) return ids;
  const Json list = json[key].is_array() ? json[key] : Json::array({json[key]});
  for (const auto& id : list) {
    GRPO_CHECK(id.is_number_integer(), file, "expected integer ids in '" + key + "'; got " + to_text(id).substr(0, 60));
    if (const auto known = known_id(id.get<int64_t>(), vocab_size, file + ": " + key)) ids.push_back(*known);
  }
  return ids;
}

int32_t first_of(const std::vector<int32_t>& ids) { return ids.empty() ? -1 : ids.front(); }

/// End ids are those of both files. generation_config.json may name others of the rest, which only generation would use.
void read_special_ids(const Json& json, const Json& generation, ModelConfig& c) {
  const std::string config_file = "config.json", generation_file = "generation_config.json";
  c.bos_token_id = first_of(read_ids(json, "bos_token_id", config_file, c.vocab_size));
  c.pad_token_id = first_of(read_ids(json, "pad_token_id", config_file, c.vocab_size));
  for (const char* key : {"bos_token_id", "pad_token_id"}) read_ids(generation, key, generation_file, c.vocab_size);
  for (const auto& ids :
       {read_ids(json, "eos_token_id", config_file, c.vocab_size), read_ids(generation, "eos_token_id", generation_file, c.vocab_size)}) {
    for (const int32_t id : ids) {
      if (std::ranges::find(c.eos_token_ids, id) == c.eos_token_ids.end()) c.eos_token_ids.push_back(id);
    }
  }
}

Json parse(const std::string& text, const char* where) {
  try {
    Json json = parse_json<Json>(text);
    GRPO_CHECK(json.is_object(), where, "expected a JSON object");
    return json;
  } catch (const Json::exception& error) {
    fail(where, std::string("expected JSON: ") + error.what());
  }
}

std::shared_ptr<const ModelFamily> family_of(const std::string& model_type, const FamilyRegistry& families) {
  if (families.contains(model_type)) return families.make(model_type);
  std::string known;
  for (const auto& name : families.names()) known += (known.empty() ? "" : ", ") + name;
  fail("config.json", "expected a model_type among " + known + "; got '" + model_type + "'");
}

}  // namespace

std::optional<int32_t> known_id(int64_t id, int64_t vocab_size, const std::string& source) {
  if (id >= 0 && id < vocab_size) return static_cast<int32_t>(id);
  if (id != -1) {
    log_warn(source + " names the id " + std::to_string(id) + ", which the model's vocabulary of " + std::to_string(vocab_size) +
             " does not have: it is not used");
  }
  return std::nullopt;
}

void validate(const ModelConfig& c) {
  Faults faults;
  faults.need(c.vocab_size > 0 && c.vocab_size < (int64_t{1} << 24), "vocab_size must be in 1 … 16777215");
  faults.need(c.hidden_size > 0 && c.hidden_size <= 65536, "hidden_size must be in 1 … 65536");
  faults.need(c.intermediate_size > 0 && c.intermediate_size <= (1 << 20), "intermediate_size must be in 1 … 1048576");
  faults.need(c.num_hidden_layers > 0 && c.num_hidden_layers <= 1024, "num_hidden_layers must be in 1 … 1024");
  faults.need(c.num_attention_heads > 0 && c.num_attention_heads <= 4096, "num_attention_heads must be in 1 … 4096");
  faults.need(c.num_key_value_heads > 0 && c.num_attention_heads % std::max<int64_t>(1, c.num_key_value_heads) == 0,
              "num_key_value_heads must divide num_attention_heads");
  faults.need(c.head_dim > 0 && c.head_dim <= 1024 && c.head_dim % 2 == 0, "head_dim must be even and in 2 … 1024");
  faults.need(c.max_position_embeddings > 0, "max_position_embeddings must be positive");
  faults.need(c.rms_norm_eps > 0.0, "rms_norm_eps must be positive");
  faults.need(c.rope.theta > 0.0 && c.rope.factor > 0.0, "rope theta and factor must be positive");
  faults.need(c.sliding_window.empty() || static_cast<int64_t>(c.sliding_window.size()) == c.num_hidden_layers,
              "sliding windows must be given per layer");
  faults.raise("model config");
}

ModelConfig model_config_from_json(const std::string& config_json, const std::string& generation_config_json,
                                   const FamilyRegistry& families) {
  const Json json = parse(config_json, "config.json");
  ModelConfig c;
  c.model_type = get<std::string>(json, "model_type", "");
  c.family = family_of(c.model_type, families);
  c.vocab_size = required(json, "vocab_size");
  c.hidden_size = required(json, "hidden_size");
  c.intermediate_size = required(json, "intermediate_size");
  c.num_hidden_layers = required(json, "num_hidden_layers");
  c.num_attention_heads = required(json, "num_attention_heads");
  c.num_key_value_heads = get<int64_t>(json, "num_key_value_heads", c.num_attention_heads);
  c.head_dim = get<int64_t>(json, "head_dim", c.num_attention_heads > 0 ? c.hidden_size / c.num_attention_heads : 0);
  c.rms_norm_eps = get<double>(json, "rms_norm_eps", 1e-6);
  c.max_position_embeddings = get<int64_t>(json, "max_position_embeddings", 2048);
  c.tie_word_embeddings = get<bool>(json, "tie_word_embeddings", false);
  c.initializer_range = get<double>(json, "initializer_range", 0.02);
  const auto activation = get<std::string>(json, "hidden_act", "silu");
  GRPO_CHECK(activation == "silu" || activation == "swish", "config.json", "expected hidden_act silu; got '" + activation + "'");
  GRPO_CHECK(!json.contains("quantization_config"), "config.json", "quantised checkpoints are not supported: convert to float first");
  c.family->read(config_json, c);
  if (const auto it = json.find("architectures"); it != json.end() && it->is_array() && !it->empty() && it->front().is_string())
    c.sequence_classifier = it->front().get<std::string>().ends_with("ForSequenceClassification");
  c.rope = read_rope(json, c.max_position_embeddings);
  validate(c);
  read_special_ids(json, generation_config_json.empty() ? Json::object() : parse(generation_config_json, "generation_config.json"), c);
  c.sliding_window = read_windows(json, c);
  return c;
}

ModelConfig read_model_config(const std::filesystem::path& folder, const FamilyRegistry& families) {
  const auto generation = folder / "generation_config.json";
  return model_config_from_json(file_text(folder / "config.json", "model"),
                                std::filesystem::exists(generation) ? file_text(generation, "model") : std::string(), families);
}

}  // namespace grpo
