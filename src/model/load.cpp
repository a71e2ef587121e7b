#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string_view>

#include "core/file_text.h"
#include "grpo/core/error.h"
#include "grpo/io/gguf.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "model/impl.h"
#include "model/tensor_files.h"

namespace grpo {
namespace {

/// Hugging Face name → GGUF name.
std::string gguf_name(const std::string& name) {
  static const std::map<std::string, std::string> whole = {
      {"model.embed_tokens.weight", "token_embd.weight"}, {"model.norm.weight", "output_norm.weight"}, {"lm_head.weight", "output.weight"}};
  static const std::map<std::string, std::string> parts = {{"input_layernorm", "attn_norm"},    {"post_attention_layernorm", "ffn_norm"},
                                                           {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"},
                                                           {"self_attn.v_proj", "attn_v"},      {"self_attn.o_proj", "attn_output"},
                                                           {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
                                                           {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
                                                           {"mlp.down_proj", "ffn_down"}};
  if (const auto it = whole.find(name); it != whole.end()) return it->second;
  const std::string prefix = "model.layers.";
  const size_t dot = name.find('.', prefix.size()), kind = name.rfind('.');
  return "blk." + name.substr(prefix.size(), dot - prefix.size()) + "." + parts.at(name.substr(dot + 1, kind - dot - 1)) +
         name.substr(kind);
}

/// GGUF of the llama family stores q and k rows for interleaved rotation: row 2i + half of a head is row half * d/2 + i here.
void unpermute_rows(at::Tensor& value, int64_t head_dim) {
  const at::Tensor source = value.clone();
  const int64_t rows = value.size(0), half = head_dim / 2;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t head = row / head_dim, within = row % head_dim;
    value[row].copy_(source[head * head_dim + 2 * (within % half) + within / half]);
  }
}

/// llama.cpp knows each bias by itself, transformers those of a block together: one that no layer has is zero. It is none of those that the
/// file was cut short of, since the first layer tells which there are.
bool is_zero_bias(const std::string& name, const Gguf& gguf) {
  if (!name.ends_with(".bias")) return false;
  const std::string part = name.substr(name.find('.', std::string_view("blk.").size()));
  return gguf.find("blk.0" + part) == nullptr;
}

void load_gguf(Transformer& model, const Gguf& gguf, const std::filesystem::path& path) {
  Faults faults;
  std::set<std::string> unused;
  for (const auto& tensor : gguf.tensors()) unused.insert(tensor.name);
  for (auto& parameter : model.named_parameters()) {
    const std::string name = gguf_name(parameter.name);
    unused.erase(name);
    const GgufTensor* tensor = gguf.find(name);
    if (tensor == nullptr) {
      if (is_zero_bias(name, gguf)) {
        parameter.value.zero_();
      } else {
        faults.add("missing " + name);
      }
      continue;
    }
    if (tensor->shape != parameter.value.sizes().vec()) {
      faults.add("expected " + name + " of shape " + shape_text(parameter.value.sizes().vec()) + ", got " + shape_text(tensor->shape));
      continue;
    }
    write_floats(parameter.value, [&](float* to) { dequantize(*tensor, {to, static_cast<size_t>(parameter.value.numel())}); });
    const bool rotated = parameter.name.find("q_proj") != std::string::npos || parameter.name.find("k_proj") != std::string::npos;
    if (rotated && model.config().model_type == "llama") unpermute_rows(parameter.value, model.config().head_dim);
  }
  for (const auto& name : unused) faults.add("unknown tensor " + name);
  faults.raise("load_model", ErrorKind::kFailure, path.string() + ": ");
}

constexpr const char* kHead = "lm_head.weight";

/// Some writers store the head of a tied model too, as the copy that it is; others store a head of its own and a config that says it is
/// tied.
bool has_own_head(const Safetensors& file) {
  const TensorEntry *head = file.find(kHead), *embedding = file.find("model.embed_tokens.weight");
  if (head == nullptr || embedding == nullptr) return false;
  const bool equal =
      head->dtype == embedding->dtype && head->shape == embedding->shape && std::ranges::equal(head->bytes, embedding->bytes);
  for (const auto* read : {head, embedding}) file.release(*read);
  return !equal;
}

/// The weights win over the config where they disagree about a head.
ModelConfig config_of_folder(const std::filesystem::path& folder, const Safetensors& file, const FamilyRegistry& families) {
  ModelConfig config = read_model_config(folder, families);
  if (config.tie_word_embeddings && has_own_head(file)) config.tie_word_embeddings = false;
  return config;
}

void read_weights_of(Transformer& model, const Safetensors& file, const std::filesystem::path& folder) {
  const c10::NoGradGuard no_grad;
  const bool copy = model.config().tie_word_embeddings && !has_own_head(file);
  Faults faults;
  read_parameters(
      file, model.named_parameters(),
      [copy](const std::string& name) { return name.find("rotary_emb.inv_freq") != std::string::npos || (copy && name == kHead); }, faults);
  faults.raise("load_model", ErrorKind::kFailure, folder.string() + ": ");
}

}  // namespace

void read_weights(Transformer& model, const std::filesystem::path& folder) try {
  read_weights_of(model, Safetensors::open(folder), folder);
} catch (...) {
  rethrow_as_error("read_weights");
}

void expect_model(const std::filesystem::path& path) {
  constexpr std::string_view kWhere = "load_model";
  expect_exists(path, kWhere);
  const std::string kinds = "expected a model folder with a config.json, or a .gguf file; got ";
  if (!std::filesystem::is_directory(path)) {
    if (path.extension() != ".gguf") fail_usage(kWhere, kinds + "the file " + path.string());
  } else if (!std::filesystem::exists(path / "config.json")) {
    const bool adapter = std::filesystem::exists(path / "adapter_config.json");
    fail_usage(kWhere, kinds + "the folder " + path.string() + ", which has " + (adapter ? "an adapter only" : "no config.json"));
  }
}

ModelConfig model_config_at(const std::filesystem::path& path) {
  expect_model(path);
  if (path.extension() == ".gguf") return model_config_from_gguf(Gguf::open(path));
  return config_of_folder(path, Safetensors::open(path), builtin_families());
}

std::unique_ptr<Transformer> load_model(const std::filesystem::path& path, const LoadOptions& options) try {
  expect_model(path);
  const c10::NoGradGuard no_grad;
  std::unique_ptr<Transformer> model;
  if (path.extension() == ".gguf") {
    const auto gguf = Gguf::open(path);
    model = std::make_unique<Transformer>(model_config_from_gguf(gguf), options.dtype, options.device);
    load_gguf(*model, gguf, path);
  } else {
    const auto file = Safetensors::open(path);
    const ModelConfig config = config_of_folder(path, file, options.families ? *options.families : builtin_families());
    model = std::make_unique<Transformer>(config, options.dtype, options.device);
    read_weights_of(*model, file, path);
  }
  return model;
} catch (...) {
  rethrow_as_error("load_model");
}

}  // namespace grpo
