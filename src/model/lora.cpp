#include "grpo/model/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "grpo/model/transformer.h"
#include "model/impl.h"
#include "model/tensor_files.h"

namespace grpo {
namespace {

void show(LinearView& view, const ParameterArena& arena, const AdapterSlots& slots, const LoraConfig& lora) {
  if (slots.a < 0) return;
  view.lora_a = arena.leaf(static_cast<size_t>(slots.a)).const_data_ptr();
  view.lora_b = arena.leaf(static_cast<size_t>(slots.b)).const_data_ptr();
  view.rank = lora.rank;
  view.lora_scale = static_cast<float>(lora.scale());
  for (const auto& [begin, end] : slots.pieces) view.lora_pieces.push_back({begin, end});
}

void hide(LinearView& view) {
  view.lora_pieces.clear();
  view.lora_a = view.lora_b = nullptr;
  view.rank = 0;
}

/// The modules by name, in the order of the layer.
LoraConfig resolved(LoraConfig config) {
  const auto asked = config.target_modules;
  const bool all = asked.empty() || asked.front() == "all-linear";
  config.target_modules.clear();
  for (const auto& name : lora_modules()) {
    if (all || std::find(asked.begin(), asked.end(), name) != asked.end()) config.target_modules.push_back(name);
  }
  return config;
}

}  // namespace

void Transformer::add_adapter(const LoraConfig& asked) try {
  validate(asked);
  const LoraConfig config = resolved(asked);
  GRPO_CHECK(config.rank > 0, "add_adapter", "expected a rank of at least 1; got 0");
  GRPO_CHECK(!has_adapter(), "add_adapter", "expected a model without LoRA; got one that has it");
  GRPO_CHECK(!compute_.exact, "add_adapter", "expected no exact log-probs with LoRA: the sampler folds it into its weights");
  Impl& m = *impl_;
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const auto at = static_cast<size_t>(i);
    m.adapters.push_back(std::make_unique<ParameterArena>("adapter " + std::to_string(i),
                                                          adapter_slots(config_, config, i, m.adapter_slots), dtype(), device()));
    LayerView& view = view_.layers[at];
    show(view.qkv, *m.adapters[at], m.adapter_slots.qkv, config);
    show(view.output, *m.adapters[at], m.adapter_slots.output, config);
    show(view.gate_up, *m.adapters[at], m.adapter_slots.gate_up, config);
    show(view.down, *m.adapters[at], m.adapter_slots.down, config);
  }
  m.adapter_scale = config.scale();
  lora_ = config;
  for (auto* arena : parameters()) arena->freeze();
  ++version_;
} catch (...) {
  rethrow_as_error("Transformer::add_adapter");
}

void Transformer::remove_adapter() {
  Impl& m = *impl_;
  for (const auto& adapter : m.adapters) version_ += adapter->version();  // the sum goes on
  m.adapters.clear();
  m.adapter_slots = {};
  lora_ = {};
  for (auto& layer : view_.layers) {
    for (auto* linear : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down}) hide(*linear);
  }
  for (auto* arena : parameters()) arena->freeze(false);
  ++version_;
}

std::vector<ParameterArena*> Transformer::trainable() {
  if (!has_adapter()) return parameters();
  std::vector<ParameterArena*> arenas;
  for (const auto& adapter : impl_->adapters) arenas.push_back(adapter.get());
  return arenas;
}

std::vector<NamedParameter> Transformer::adapter_parameters() {
  std::vector<NamedParameter> all;
  for (const auto& adapter : impl_->adapters) {
    for (auto& parameter : adapter->named()) all.push_back(std::move(parameter));
  }
  return all;
}

void init_adapter(Transformer& model, uint64_t seed) {
  const c10::NoGradGuard no_grad;
  uint64_t stream = 0;
  for (auto& parameter : model.adapter_parameters()) {
    Random random(seed, (uint64_t{1} << 32) + stream++);
    if (parameter.name.find("lora_B") != std::string::npos) {
      parameter.value.zero_();
      continue;
    }
    const double bound = 1.0 / std::sqrt(static_cast<double>(parameter.value.size(1)));
    const at::Tensor values = parameter.value.cpu();
    write_floats(values, [&](float* to) {
      for (int64_t i = 0; i < values.numel(); ++i) to[i] = static_cast<float>((2.0 * random.uniform() - 1.0) * bound);
    });
    parameter.value.copy_(values);
  }
}

void merge_adapter(Transformer& model) {
  const c10::NoGradGuard no_grad;
  GRPO_CHECK(model.has_adapter(), "merge_adapter", "expected a model with LoRA; got one without");
  std::map<std::string, at::Tensor> weights;
  for (const auto& parameter : model.named_parameters()) weights.emplace(parameter.name, parameter.value);
  const auto adapters = model.adapter_parameters();
  const std::string prefix = "base_model.model.", suffix = ".lora_A.weight";
  std::map<std::string, at::Tensor> a;
  for (const auto& [name, value, grad, decay] : adapters) {
    if (name.ends_with(suffix)) a.emplace(name.substr(0, name.size() - suffix.size()), value);
  }
  for (const auto& [name, value, grad, decay] : adapters) {
    if (name.ends_with(suffix)) continue;
    const std::string module = name.substr(0, name.size() - suffix.size());
    at::Tensor weight = weights.at(module.substr(prefix.size()) + ".weight");
    weight.add_(at::mm(value, a.at(module)), model.lora().scale());
  }
  model.remove_adapter();
}

}  // namespace grpo
