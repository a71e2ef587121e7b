// PEFT folders: adapter_config.json and adapter_model.safetensors.
#include <c10/core/GradMode.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"
#include "grpo/model/transformer.h"
#include "model/config_keys.h"
#include "model/tensor_files.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kAdapterFilesWhere = "load_adapter";
constexpr const char* kTensors = "adapter_model.safetensors";

std::string config_name(const fs::path& folder) { return (folder / "adapter_config.json").string(); }

Json read_config(const fs::path& folder) {
  expect_exists(folder, kAdapterFilesWhere);
  return parse_object(file_text(config_name(folder), kAdapterFilesWhere), config_name(folder));
}

/// Absent, null, false, empty or `fallback`: what PEFT writes where an option is not used.
bool unused(ConfigKeys& config, const char* key, const Json& fallback = nullptr) {
  const Json* value = config.find(key);
  return value == nullptr || *value == false || *value == fallback || (value->is_structured() && value->empty());
}

/// Module names of the tensors: ….q_proj.lora_A.weight → q_proj.
void add_modules(const Safetensors& file, std::vector<std::string>& modules) {
  for (const auto& tensor : file.tensors()) {
    const size_t end = tensor.name.find(".lora_");
    if (end == std::string::npos || end == 0) continue;
    const size_t dot = tensor.name.rfind('.', end - 1);
    std::string name = tensor.name.substr(dot == std::string::npos ? 0 : dot + 1, end - dot - 1);
    if (std::find(modules.begin(), modules.end(), name) == modules.end()) modules.push_back(std::move(name));
  }
}

/// Whether the folder holds a classifier's head: PEFT names `classifier` too, whatever the head is called.
bool saves_score(ConfigKeys& config) {
  const Json* names = config.find("modules_to_save");
  if (names == nullptr || !names->is_array() || names->empty()) return false;
  return std::all_of(names->begin(), names->end(), [](const Json& name) { return name == "score" || name == "classifier"; });
}

/// Ways to begin that leave the base as it is. PiSSA, OLoRA, CorDA, LoftQ and their like take the adapter's start off the base: their A and
/// B belong to another base than the one in the file.
void check_start(ConfigKeys& config) {
  const Json* start = config.find("init_lora_weights");
  const bool keeps_base = start == nullptr || start->is_boolean() || *start == "gaussian" || *start == "orthogonal" || *start == "eva";
  if (keeps_base) return;
  fail(kAdapterFilesWhere, config.file() + ": expected an adapter that leaves its base as it is; got init_lora_weights " +
                               to_printable_text(*start) +
                               ", which changed the base when the adapter was made (PEFT converts it: save_pretrained with "
                               "path_initial_model_for_weight_conversion)");
}

/// What the folder of such a model holds: its adapters and, of a classifier, the head.
std::vector<NamedParameter> saved_parameters(Transformer& model) {
  auto all = model.adapter_parameters();
  if (!model.config().sequence_classifier) return all;
  NamedParameter score = model.value_head()->named().front();
  score.name = "base_model.model." + score.name;
  all.push_back(std::move(score));
  return all;
}

/// What says nothing of the function: how the adapter was trained, and settings of ways to begin that check_start has looked at.
constexpr std::string_view kTrainingKeys =
    "base_model_name_or_path task_type inference_mode revision auto_mapping peft_version lora_dropout layers_pattern exclude_modules "
    "loftq_config eva_config corda_config lora_ga_config megatron_config megatron_core qalora_group_size runtime_config "
    "ensure_weight_tying model_type unsloth_version";

LoraConfig parse_config(ConfigKeys& keys, const fs::path& folder) {
  const auto need = [&](bool good, const std::string& what) { GRPO_CHECK(good, kAdapterFilesWhere, keys.file() + ": expected " + what); };
  const auto type = keys.text("peft_type", "");
  need(type == "LORA", "peft_type LORA; got '" + type + "'");
  need(unused(keys, "bias", "none"), "bias none: only low-rank matrices are supported");
  check_start(keys);
  for (const char* key :
       {"use_dora", "use_qalora", "fan_in_fan_out", "lora_bias", "rank_pattern", "alpha_pattern", "layers_to_transform",
        "layer_replication", "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "arrow_config", "use_bdlora"}) {
    need(unused(keys, key), std::string("no ") + key + ", which is not supported");
  }
  LoraConfig config;
  config.score_head = saves_score(keys);
  need(config.score_head || unused(keys, "modules_to_save"), "no modules_to_save but a classifier's score");
  config.rank = keys.integer("r", 0);
  config.alpha = keys.number("lora_alpha", 0.0);
  config.use_rslora = keys.flag("use_rslora", false);
  need(config.rank > 0 && config.alpha > 0.0, "r and lora_alpha above 0");
  if (const Json* names = keys.find("target_modules"); names != nullptr && names->is_array()) {
    for (const auto& name : *names) {
      need(name.is_string(), "names in target_modules; got " + to_printable_text(name).substr(0, 60));
      config.target_modules.push_back(name.get<std::string>());
    }
  }
  add_modules(Safetensors::open(folder / kTensors), config.target_modules);  // a pattern names no modules: the tensors do
  need(!config.target_modules.empty(), "target_modules");
  keys.ignore(kTrainingKeys);
  keys.warn_of_rest();
  return config;
}

}  // namespace

LoraConfig read_lora_config(const fs::path& folder) {
  const Json json = read_config(folder);
  ConfigKeys keys(json, config_name(folder));
  LoraConfig config = parse_config(keys, folder);
  config.path = folder.string();
  validate(config);
  return config;
}

fs::path lora_base(const fs::path& folder) {
  const Json config = read_config(folder);
  const auto it = config.find("base_model_name_or_path");
  if (it == config.end() || !it->is_string() || it->get<std::string>().empty()) return {};
  const fs::path named = it->get<std::string>();
  return fs::exists(folder / named) ? folder / named : named;
}

void load_adapter(Transformer& model, const fs::path& folder) {
  const c10::NoGradGuard no_grad;
  const LoraConfig config = read_lora_config(folder);
  const bool added = !model.has_adapter();
  if (added) model.add_adapter(config);
  const LoraConfig& present = model.lora();
  Faults faults;
  if (config.rank != present.rank || config.scale() != present.scale()) {
    faults.add("expected rank " + std::to_string(present.rank) + " and scale " + std::to_string(present.scale()) + ", got rank " +
               std::to_string(config.rank) + " and scale " + std::to_string(config.scale()));
  }
  if (config.score_head && !model.config().sequence_classifier) model.become_classifier();
  const auto file = Safetensors::open(folder / kTensors);
  read_parameters(
      file, saved_parameters(model), [](const std::string&) { return false; }, faults);
  try {
    faults.raise(kAdapterFilesWhere, ErrorKind::kFailure, folder.string() + ": ");
  } catch (...) {
    if (added) model.remove_adapter();
    throw;
  }
}

void save_adapter(Transformer& model, const fs::path& folder, const std::string& base) {
  const c10::NoGradGuard no_grad;
  GRPO_CHECK(model.has_adapter(), "save_adapter", "expected a model with LoRA; got one without");
  const LoraConfig& lora = model.lora();
  const bool classifier = model.config().sequence_classifier;
  fs::create_directories(folder);
  std::deque<std::vector<std::byte>> converted;
  write_safetensors(folder / kTensors, parameter_entries(saved_parameters(model), DType::kF32, converted));
  const Json config = {{"alpha_pattern", Json::object()},
                       {"base_model_name_or_path", base.empty() ? Json(nullptr) : Json(base)},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"init_lora_weights", true},
                       {"layers_pattern", nullptr},
                       {"layers_to_transform", nullptr},
                       {"lora_alpha", lora.alpha},
                       {"lora_dropout", 0.0},
                       {"modules_to_save", classifier ? Json({"score"}) : Json(nullptr)},
                       {"peft_type", "LORA"},
                       {"r", lora.rank},
                       {"rank_pattern", Json::object()},
                       {"target_modules", lora.target_modules},
                       {"task_type", classifier ? "SEQ_CLS" : "CAUSAL_LM"},
                       {"use_dora", false},
                       {"use_rslora", lora.use_rslora}};
  write_file_atomically(folder / "adapter_config.json", to_text(config, 2) + "\n");
}

}  // namespace grpo
