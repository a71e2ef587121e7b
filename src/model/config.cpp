#include "grpo/model/config.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/faults.h"
#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "model/config_keys.h"
#include "model/token_ids.h"

namespace grpo {
namespace {

using Json = nlohmann::ordered_json;

/// What a model's config.json has that says nothing of the function that the model is: how it was trained or kept, and what older versions
/// of transformers wrote for generation into every file.
constexpr std::string_view kHarmlessKeys =
    "transformers_version _name_or_path torch_dtype dtype use_cache attention_dropout hidden_dropout resid_pdrop embd_pdrop "
    "hidden_dropout_prob attention_probs_dropout_prob classifier_dropout pretraining_tp id2label label2id num_labels problem_type "
    "auto_map unsloth_version unsloth_fixed unsloth_training_quantization _attn_implementation _attn_implementation_autoset "
    "attn_implementation _flash_attn_2_enabled output_attentions output_hidden_states return_dict return_dict_in_generate torchscript "
    "is_encoder_decoder is_decoder add_cross_attention cross_attention_hidden_size chunk_size_feed_forward tokenizer_class prefix "
    "task_specific_params finetuning_task sep_token_id decoder_start_token_id use_bfloat16 gradient_checkpointing tf_legacy_loss "
    "pruned_heads tie_encoder_decoder temperature top_k top_p typical_p do_sample num_beams num_beam_groups "
    "diversity_penalty repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids "
    "num_return_sequences output_scores forced_bos_token_id forced_eos_token_id remove_invalid_values "
    "exponential_decay_length_penalty suppress_tokens begin_suppress_tokens max_length min_length early_stopping "
    "transformers.js_config";

void read_keys_of_other_models(ConfigKeys& keys) {
  keys.refuse_unless("quantization_config", nullptr);
  keys.refuse_unless("partial_rotary_factor", 1.0);
  for (const char* key : {"use_mrope", "rope_interleaved"}) keys.refuse_unless(key, false);
  keys.ignore(kHarmlessKeys);
}

/// transformers 5 writes rope_parameters, older versions rope_theta and rope_scaling.
const Json& rope_object(ConfigKeys& keys) {
  static const Json empty = Json::object();
  const Json *parameters = keys.find("rope_parameters"), *scaling = keys.find("rope_scaling");
  GRPO_CHECK(parameters == nullptr || scaling == nullptr || *parameters == *scaling, keys.file(),
             "expected rope_parameters or rope_scaling; got both, and they differ");
  const Json* rope = parameters != nullptr ? parameters : scaling;
  if (rope == nullptr) return empty;
  GRPO_CHECK(rope->is_object(), keys.file(), "expected an object for rope_parameters or rope_scaling");
  for (const auto& [key, value] : rope->items()) {
    GRPO_CHECK(!value.is_object(), keys.file(), "expected one rotary embedding for all layers; got one for '" + key + "'");
  }
  return *rope;
}

void read_scaling(ConfigKeys& scaling, const std::string& type, RopeConfig& rope) {
  const auto given = [&scaling](const char* key) {
    GRPO_CHECK(scaling.find(key) != nullptr, scaling.file(), std::string("expected '") + key + "' for this rope type; got none");
    return scaling.number(key, 0.0);
  };
  rope.factor = given("factor");
  if (type == "linear") {
    rope.type = RopeConfig::Type::kLinear;
  } else if (type == "llama3") {
    rope.type = RopeConfig::Type::kLlama3;
    rope.low_freq_factor = given("low_freq_factor");
    rope.high_freq_factor = given("high_freq_factor");
    given("original_max_position_embeddings");
  } else if (type == "yarn") {
    rope.type = RopeConfig::Type::kYarn;
    rope.beta_fast = scaling.number("beta_fast", 32.0);
    rope.beta_slow = scaling.number("beta_slow", 1.0);
    rope.attention_factor = scaling.number("attention_factor", rope.factor > 1.0 ? 0.1 * std::log(rope.factor) + 1.0 : 1.0);
    scaling.refuse_unless("truncate", true);
    scaling.refuse_unless("mscale", nullptr);
    scaling.refuse_unless("mscale_all_dim", nullptr);
  } else {
    fail(scaling.file(), "expected a rope type of default, linear, llama3 or yarn; got '" + type + "'");
  }
}

RopeConfig read_rope(ConfigKeys& keys, int64_t max_positions) {
  RopeConfig rope;
  ConfigKeys scaling(rope_object(keys), keys.file() + ": rope_parameters");
  rope.theta = scaling.number("rope_theta", keys.number("rope_theta", 10000.0));
  const auto old_type = scaling.text("type", "default"), type = scaling.text("rope_type", old_type);
  rope.original_max_position_embeddings = scaling.integer("original_max_position_embeddings", max_positions);
  scaling.refuse_unless("partial_rotary_factor", 1.0);
  if (type != "default") read_scaling(scaling, type, rope);
  scaling.warn_of_rest();
  return rope;
}

/// Sliding windows per layer, from the keys that the family has for them. Files that were made from those of another family keep its keys:
/// a family without windows knows none of them.
std::vector<int64_t> read_windows(ConfigKeys& keys, const ModelConfig& c) {
  const auto kind = c.family->windows();
  keys.ignore("sliding_window use_sliding_window max_window_layers layer_types");
  if (kind == ModelFamily::Windows::kNone) return {};
  const int64_t window = keys.integer("sliding_window", 0);
  if (window <= 0 || (kind == ModelFamily::Windows::kByLayer && !keys.flag("use_sliding_window", false))) return {};
  std::vector<int64_t> windows(static_cast<size_t>(c.num_hidden_layers), window);
  if (kind == ModelFamily::Windows::kAllLayers) return windows;
  if (const Json* types = keys.find("layer_types")) {
    GRPO_CHECK(types->is_array() && types->size() == windows.size(), keys.file(), "expected one layer_types entry per layer");
    for (size_t i = 0; i < windows.size(); ++i) {
      const Json& type = (*types)[i];
      GRPO_CHECK(type == "sliding_attention" || type == "full_attention", keys.file(),
                 "expected sliding_attention or full_attention in layer_types; got " + to_printable_text(type).substr(0, 60));
      if (type == "full_attention") windows[i] = 0;
    }
  } else {
    const int64_t first = keys.integer("max_window_layers", 28);
    for (int64_t i = 0; i < std::min<int64_t>(first, c.num_hidden_layers); ++i) windows[static_cast<size_t>(i)] = 0;
  }
  return windows;
}

/// The ids of special tokens under a key of a file, one or a list, as far as the vocabulary has them.
std::vector<int32_t> read_ids(ConfigKeys& keys, const std::string& key, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (const int64_t id : keys.ids(key)) {
    if (const auto known = known_id(id, vocab_size, keys.file() + ": " + key)) ids.push_back(*known);
  }
  return ids;
}

int32_t first_of(const std::vector<int32_t>& ids) { return ids.empty() ? -1 : ids.front(); }

/// End ids are those of both files. generation_config.json may name others of the rest, which only generation would use; what else it says
/// is kept as it stands.
void read_special_ids(ConfigKeys& keys, Json generation, ModelConfig& c) {
  ConfigKeys further(generation, "generation_config.json");
  c.bos_token_id = first_of(read_ids(keys, "bos_token_id", c.vocab_size));
  c.pad_token_id = first_of(read_ids(keys, "pad_token_id", c.vocab_size));
  for (const char* key : {"bos_token_id", "pad_token_id"}) read_ids(further, key, c.vocab_size);
  for (const auto& ids : {read_ids(keys, "eos_token_id", c.vocab_size), read_ids(further, "eos_token_id", c.vocab_size)}) {
    for (const int32_t id : ids) {
      if (std::ranges::find(c.eos_token_ids, id) == c.eos_token_ids.end()) c.eos_token_ids.push_back(id);
    }
  }
  for (const char* key : {"bos_token_id", "pad_token_id", "eos_token_id"}) generation.erase(key);
  c.generation_defaults = to_text(generation);
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
  faults.need(c.max_position_embeddings > 0 && c.max_position_embeddings <= (1 << 24), "max_position_embeddings must be in 1 … 16777216");
  faults.need(c.rms_norm_eps > 0.0, "rms_norm_eps must be positive");
  faults.need(c.rope.theta > 0.0 && c.rope.factor > 0.0, "rope theta and factor must be positive");
  faults.need(c.sliding_window.empty() || static_cast<int64_t>(c.sliding_window.size()) == c.num_hidden_layers,
              "sliding windows must be given per layer");
  faults.raise("model config");
}

ModelConfig model_config_from_json(const std::string& config_json, const std::string& generation_config_json,
                                   const FamilyRegistry& families) {
  const Json json = parse_object(config_json, "config.json");
  ConfigKeys keys(json, "config.json");
  ModelConfig c;
  c.model_type = keys.text("model_type", "");
  c.family = family_of(c.model_type, families);
  c.vocab_size = keys.integer("vocab_size");
  c.hidden_size = keys.integer("hidden_size");
  c.intermediate_size = keys.integer("intermediate_size");
  c.num_hidden_layers = keys.integer("num_hidden_layers");
  c.num_attention_heads = keys.integer("num_attention_heads");
  c.num_key_value_heads = keys.integer("num_key_value_heads", c.num_attention_heads);
  c.head_dim = keys.integer("head_dim", c.num_attention_heads > 0 ? c.hidden_size / c.num_attention_heads : 0);
  c.rms_norm_eps = keys.number("rms_norm_eps", 1e-6);
  c.max_position_embeddings = keys.integer("max_position_embeddings", 2048);
  c.tie_word_embeddings = keys.flag("tie_word_embeddings", false);
  c.initializer_range = keys.number("initializer_range", 0.02);
  const auto activation = keys.text("hidden_act", "silu");
  GRPO_CHECK(activation == "silu" || activation == "swish", "config.json", "expected hidden_act silu; got '" + activation + "'");
  c.family->read(config_json, c);
  keys.ignore_keys_of(parse_object(c.family->further_keys(c), "further_keys"));
  if (const Json* names = keys.find("architectures");
      names != nullptr && names->is_array() && !names->empty() && names->front().is_string())
    c.sequence_classifier = names->front().get<std::string>().ends_with("ForSequenceClassification");
  c.rope = read_rope(keys, c.max_position_embeddings);
  validate(c);
  read_special_ids(keys, generation_config_json.empty() ? Json::object() : parse_object(generation_config_json, "generation_config.json"),
                   c);
  c.sliding_window = read_windows(keys, c);
  read_keys_of_other_models(keys);
  keys.warn_of_rest();
  return c;
}

ModelConfig read_model_config(const std::filesystem::path& folder, const FamilyRegistry& families) {
  const auto generation = folder / "generation_config.json";
  return model_config_from_json(file_text(folder / "config.json", "model"),
                                std::filesystem::exists(generation) ? file_text(generation, "model") : std::string(), families);
}

}  // namespace grpo
