#include "grpo/policy/policy.h"

#include <algorithm>
#include <filesystem>

#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/config.h"
#include "grpo/text/byte_tokenizer.h"
#include "ops/ops.h"

namespace grpo {
namespace {

ModelConfig new_model_config(const NewModelConfig& c, const Tokenizer& tokenizer) {
  ModelConfig config;
  config.vocab_size = tokenizer.vocab_size();
  config.hidden_size = c.hidden_size;
  config.intermediate_size = c.intermediate_size;
  config.num_hidden_layers = c.num_hidden_layers;
  config.num_attention_heads = c.num_attention_heads;
  config.num_key_value_heads = c.num_key_value_heads > 0 ? c.num_key_value_heads : c.num_attention_heads;
  config.head_dim = c.num_attention_heads > 0 ? c.hidden_size / c.num_attention_heads : 0;
  config.max_position_embeddings = c.max_position_embeddings;
  config.tie_word_embeddings = c.tie_word_embeddings;
  config.rope.theta = c.rope_theta;
  if (tokenizer.eos_id()) config.eos_token_ids = {*tokenizer.eos_id()};
  if (tokenizer.pad_id()) config.pad_token_id = *tokenizer.pad_id();
  return config;
}

/// A PEFT folder stands for its base with its adapters.
ModelSection resolved(ModelSection section) {
  namespace fs = std::filesystem;
  const fs::path folder = section.path;
  if (!fs::exists(folder / "adapter_config.json") || fs::exists(folder / "config.json")) return section;
  section.path = lora_base(folder).string();
  GRPO_CHECK(!section.path.empty(), "policy", "expected a base model; " + folder.string() + " names none (base_model_name_or_path)");
  if (section.tokenizer.empty() && fs::exists(folder / "tokenizer.json")) section.tokenizer = folder.string();
  if (section.lora.path.empty()) section.lora.path = folder.string();
  return section;
}

void attach_adapter(Transformer& model, const LoraConfig& lora, uint64_t seed) {
  if (!lora.path.empty()) {
    load_adapter(model, lora.path);
  } else if (lora.rank > 0) {
    model.add_adapter(lora);
    init_adapter(model, seed);
  }
}

/// What a section's device and compute_dtype come to.
struct Compute {
  at::Device device;
  at::ScalarType weights;
  ComputeOptions options;
};

Compute compute_of(const ModelSection& section) {
  const at::Device device = device_of(section);
  const bool cuda = ops::on_cuda(device);
  bool rounds = section.compute_dtype == ModelSection::ComputeDType::kBFloat16;
  if (section.compute_dtype == ModelSection::ComputeDType::kAuto) rounds = cuda;
  const at::ScalarType type = rounds ? at::kBFloat16 : at::kFloat;
  return {device, cuda ? type : at::kFloat, {.dtype = type, .exact = section.exact}};
}

std::shared_ptr<Transformer> load_resolved(const ModelSection& section, uint64_t seed, const FamilyRegistry& families) {
  const Compute compute = compute_of(section);
  std::shared_ptr<Transformer> model =
      load_model(section.path, {.dtype = compute.weights, .device = compute.device, .families = &families});
  model->set_compute(compute.options);
  attach_adapter(*model, section.lora, seed);
  return model;
}

/// Tells what of the tokenizer the model does not have.
void warn_of_missing_embeddings(const Tokenizer& tokenizer, int64_t rows) {
  const int64_t ids = tokenizer.vocab_size();
  if (ids <= rows) return;
  std::string text = "the tokenizer has " + std::to_string(ids) + " ids and the model " + std::to_string(rows) +
                     " embeddings: text that needs one of the other tokens is refused";
  const auto add = [&](const char* what, const std::optional<int32_t>& id) {
    if (!id || *id < rows) return;
    text += std::string("; the tokenizer's ") + what + " token '" + tokenizer.id_to_token(*id) + "' (id " + std::to_string(*id) +
            ") is one of them and is not used";
  };
  add("begin", tokenizer.bos_id());
  add("end", tokenizer.eos_id());
  add("pad", tokenizer.pad_id());
  log_warn(text);
}

}  // namespace

Policy make_policy(std::shared_ptr<Transformer> model, std::shared_ptr<const Tokenizer> tokenizer) {
  const int64_t rows = model->config().vocab_size;
  warn_of_missing_embeddings(*tokenizer, rows);
  model->set_vocab_limit(std::min(tokenizer->vocab_size(), rows));
  Policy policy{std::move(model), std::move(tokenizer), std::nullopt, {}};
  if (!policy.tokenizer->chat_template().empty()) policy.chat_template = ChatTemplate::of_model(policy.tokenizer->chat_template());
  return policy;
}

at::Device device_of(const ModelSection& section) {
  const bool wanted = section.device == ModelSection::Device::kCuda;
  const bool possible = section.device == ModelSection::Device::kAuto && !section.exact && ops::has_cuda();
  return wanted || possible ? ops::cuda_device() : at::Device(at::kCPU);
}

std::shared_ptr<Transformer> load_weights(const ModelSection& asked, uint64_t seed, const FamilyRegistry& families) try {
  return load_resolved(resolved(asked), seed, families);
} catch (...) {
  rethrow_as_error("load_weights");
}

Policy load_policy(const ModelSection& asked, uint64_t seed, const FamilyRegistry& families) try {
  const ModelSection section = resolved(asked);
  if (!section.path.empty()) {
    expect_model(section.path);
    auto tokenizer = load_tokenizer(section.tokenizer.empty() ? section.path : section.tokenizer);
    Policy policy = make_policy(load_resolved(section, seed, families), std::move(tokenizer));
    policy.base = std::filesystem::absolute(section.path).lexically_normal().string();
    return policy;
  }
  const auto tokenizer =
      section.tokenizer.empty() ? make_byte_tokenizer(section.new_model.extra_tokens) : load_tokenizer(section.tokenizer);
  const Compute compute = compute_of(section);
  auto model = std::make_shared<Transformer>(new_model_config(section.new_model, *tokenizer), compute.weights, compute.device);
  init_weights(*model, seed);
  model->set_compute(compute.options);
  return make_policy(std::move(model), tokenizer);
} catch (...) {
  rethrow_as_error("load_policy");
}

void save_policy(const Policy& policy, const std::string& folder, const std::string& dtype, std::optional<int32_t> end_id) try {
  if (policy.model->has_adapter()) {
    save_adapter(*policy.model, folder, policy.base);
  } else {
    save_model(*policy.model, folder, {.dtype = dtype, .end_id = end_id});
  }
  save_tokenizer(*policy.tokenizer, folder);
} catch (...) {
  rethrow_as_error("save_policy");
}

}  // namespace grpo
