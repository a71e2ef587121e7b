#include "grpo/model/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "model/impl.h"
#include "model/tensor_files.h"

namespace grpo {
namespace {

DType file_dtype(at::ScalarType type, at::Device device) {
  GRPO_CHECK(ops::computes(device, type), "model",
             "expected a dtype that " + device.str() + " computes in (float32; on CUDA bfloat16 too); got " + c10::toString(type));
  return type == at::kFloat ? DType::kF32 : DType::kBF16;
}

template <class T>
at::Tensor on_device(const std::vector<T>& values, at::ScalarType type, at::Device device) {
  at::Tensor t = at::empty({static_cast<int64_t>(values.size())}, type);
  std::copy(values.begin(), values.end(), t.data_ptr<T>());
  return t.to(device);
}

const void* pointer(const ParameterArena& arena, int slot) {
  return slot < 0 ? nullptr : arena.leaf(static_cast<size_t>(slot)).const_data_ptr();
}

LinearView linear_view(const ParameterArena& arena, int weight, int bias, DType dtype) {
  const at::Tensor& w = arena.leaf(static_cast<size_t>(weight));
  LinearView view;
  view.weight = w.const_data_ptr();
  view.dtype = dtype;
  view.bias = pointer(arena, bias);
  view.out = w.size(0);
  view.in = w.size(1);
  return view;
}

}  // namespace

Transformer::Transformer(ModelConfig config, at::ScalarType dtype, at::Device device) : config_(std::move(config)) {
  validate(config_);
  const DType element = file_dtype(dtype, device);
  compute_.dtype = dtype;
  impl_ = std::make_unique<Impl>();
  Impl& m = *impl_;
  m.embedding = std::make_unique<ParameterArena>("embedding", embedding_slots(config_), dtype, device);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    m.layers.push_back(std::make_unique<ParameterArena>("layer " + std::to_string(i), layer_slots(config_, i, m.slots), dtype, device));
  }
  m.head = std::make_unique<ParameterArena>("head", head_slots(config_), dtype, device);
  rope_ = make_rope_table(config_, config_.max_position_embeddings);
  m.cos = on_device(rope_.cos, at::kFloat, device).view({rope_.positions, rope_.pairs});
  m.sin = on_device(rope_.sin, at::kFloat, device).view({rope_.positions, rope_.pairs});

  view_ = {.config = &config_,
           .rope = &rope_,
           .dtype = element,
           .embedding = pointer(*m.embedding, 0),
           .final_norm = pointer(*m.head, 0),
           .head = config_.tie_word_embeddings ? linear_view(*m.embedding, 0, -1, element) : linear_view(*m.head, 1, -1, element),
           .layers = {},
           .device = ops::on_cuda(device) ? ModelView::Device::kCuda : ModelView::Device::kCpu,
           .vocab_limit = config_.vocab_size};
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const ParameterArena& a = *m.layers[static_cast<size_t>(i)];
    view_.layers.push_back({.qkv = linear_view(a, m.slots.qkv, m.slots.qkv_bias, element),
                            .output = linear_view(a, m.slots.output, m.slots.output_bias, element),
                            .gate_up = linear_view(a, m.slots.gate_up, m.slots.gate_up_bias, element),
                            .down = linear_view(a, m.slots.down, m.slots.down_bias, element),
                            .input_norm = pointer(a, m.slots.input_norm),
                            .post_attention_norm = pointer(a, m.slots.post_attention_norm),
                            .q_norm = pointer(a, m.slots.q_norm),
                            .k_norm = pointer(a, m.slots.k_norm),
                            .window = config_.window(i)});
  }
  if (config_.sequence_classifier) add_value_head();
}

Transformer::~Transformer() = default;

at::ScalarType Transformer::dtype() const { return impl_->embedding->flat().scalar_type(); }
at::Device Transformer::device() const { return impl_->embedding->flat().device(); }

std::vector<ParameterArena*> Transformer::parameters() {
  std::vector<ParameterArena*> arenas{impl_->embedding.get()};
  for (const auto& layer : impl_->layers) arenas.push_back(layer.get());
  arenas.push_back(impl_->head.get());
  return arenas;
}

std::vector<NamedParameter> Transformer::named_parameters() {
  std::vector<NamedParameter> all;
  for (const auto* arena : parameters()) {
    for (auto& parameter : arena->named()) {
      if (!config_.sequence_classifier || parameter.name != "lm_head.weight") all.push_back(std::move(parameter));
    }
  }
  if (config_.sequence_classifier) all.push_back(value_head()->named().front());
  return all;
}

void Transformer::set_compute(const ComputeOptions& options) {
  GRPO_CHECK(options.dtype == at::kFloat || options.dtype == at::kBFloat16, "set_compute",
             std::string("expected float32 or bfloat16; got ") + c10::toString(options.dtype));
  GRPO_CHECK(!options.exact || options.dtype == at::kFloat, "set_compute", "expected float32 for exact log-probs; got bfloat16");
  GRPO_CHECK(!options.exact || !has_adapter(), "set_compute",
             "expected no LoRA with exact log-probs: the sampler folds it into its weights");
  GRPO_CHECK(!ops::on_cuda(device()) || (options.dtype == dtype() && !options.exact), "set_compute",
             "expected the weights' own type and no exact log-probs on CUDA; got others");
  compute_ = options;
}

void Transformer::set_vocab_limit(int64_t limit) {
  GRPO_CHECK(limit > 0 && limit <= config_.vocab_size, "set_vocab_limit",
             "expected 1 … " + std::to_string(config_.vocab_size) + "; got " + std::to_string(limit));
  view_.vocab_limit = limit;
}

BatchInputs Transformer::Impl::inputs(const PackedTokens& batch, const ModelConfig& config) const {
  GRPO_CHECK(batch.num_tokens() > 0, "forward", "expected at least one token");
  for (size_t i = 0; i < batch.tokens.size(); ++i) {
    GRPO_CHECK(batch.tokens[i] >= 0 && batch.tokens[i] < config.vocab_size, "forward",
               "expected token ids below " + std::to_string(config.vocab_size) + "; got " + std::to_string(batch.tokens[i]));
    GRPO_CHECK(batch.positions[i] >= 0 && batch.positions[i] < config.max_position_embeddings, "forward",
               "expected positions below max_position_embeddings " + std::to_string(config.max_position_embeddings) + "; got " +
                   std::to_string(batch.positions[i]));
  }
  for (const int32_t row : batch.rows) {
    GRPO_CHECK(row >= 0 && row < batch.num_tokens(), "forward",
               "expected pair rows below the number of tokens; got " + std::to_string(row));
  }
  for (const int32_t id : batch.targets) {
    GRPO_CHECK(id >= 0 && id < config.vocab_size, "forward",
               "expected target ids below " + std::to_string(config.vocab_size) + "; got " + std::to_string(id));
  }
  const at::Device device = cos.device();
  return {ops::PackedLayout(batch, device), ops::RowIndex(batch.tokens, device), ops::RowIndex(batch.rows, device),
          on_device(batch.targets, at::kInt, device)};
}

at::Tensor Transformer::Impl::layer(const ModelConfig& c, size_t index, const at::Tensor& x, const ops::PackedLayout& layout,
                                    const ops::ProductOptions& options, bool adapter) const {
  const ParameterArena& a = *layers[index];
  const auto leaf = [&a](int slot) { return slot < 0 ? at::Tensor() : a.leaf(static_cast<size_t>(slot)); };
  const auto linear = [&](const at::Tensor& input, int weight, int bias, const AdapterSlots& low_rank, const at::Tensor& residual = {}) {
    at::Tensor y = ops::linear(input, leaf(weight), leaf(bias), options, residual);
    if (!adapter || low_rank.a < 0) return y;
    const ParameterArena& beside = *adapters[index];
    return ops::add_low_rank(y, input,
                             {.a = beside.leaf(static_cast<size_t>(low_rank.a)),
                              .b = beside.leaf(static_cast<size_t>(low_rank.b)),
                              .pieces = low_rank.pieces,
                              .scale = adapter_scale},
                             options);
  };
  const ops::HeadLayout heads{c.num_attention_heads, c.num_key_value_heads, c.head_dim, c.window(static_cast<int64_t>(index))};

  const at::Tensor qkv = linear(ops::rms_norm(x, leaf(slots.input_norm), c.rms_norm_eps), slots.qkv, slots.qkv_bias, adapter_slots.qkv);
  const at::Tensor rotated = ops::qk_norm_rope(qkv, leaf(slots.q_norm), leaf(slots.k_norm), cos, sin, layout, heads, c.rms_norm_eps);
  const at::Tensor middle = linear(ops::attention(rotated, layout, heads), slots.output, slots.output_bias, adapter_slots.output, x);
  const at::Tensor gate_up = linear(ops::rms_norm(middle, leaf(slots.post_attention_norm), c.rms_norm_eps), slots.gate_up,
                                    slots.gate_up_bias, adapter_slots.gate_up);
  return linear(ops::swiglu(gate_up), slots.down, slots.down_bias, adapter_slots.down, middle);
}

const at::Tensor& Transformer::Impl::head_weight(const ModelConfig& config) const {
  return config.tie_word_embeddings ? embedding->leaf(0) : head->leaf(1);
}

ops::ProductOptions product_options(const ComputeOptions& compute) {
  return {.precision = compute.dtype == at::kFloat ? kernels::Precision::kFloat32 : kernels::Precision::kBfloat16, .exact = compute.exact};
}

at::Tensor Transformer::Impl::layers_output(const ModelConfig& config, const BatchInputs& in, const ops::ProductOptions& options,
                                            bool adapter) const {
  at::Tensor x = ops::gather_rows(embedding->leaf(0), in.tokens);
  for (size_t i = 0; i < layers.size(); ++i) x = layer(config, i, x, in.layout, options, adapter);
  return x;
}

TokenOutputs Transformer::Impl::outputs(const ModelConfig& config, const at::Tensor& x, const BatchInputs& in, const LogprobOptions& want,
                                        int64_t vocab_limit, ops::ProductOptions options) const {
  GRPO_CHECK(!want.values || value_head, "forward", "expected a model with a value head; got one without");
  const at::Tensor rows = ops::gather_rows(ops::rms_norm(x, head->leaf(0), config.rms_norm_eps), in.rows);
  TokenOutputs out;
  if (want.logprobs) {
    const auto pairs = ops::linear_logprob(rows, head_weight(config), in.targets, want.temperature, vocab_limit, want.entropy, options);
    out.logprobs = pairs.logprobs;
    out.entropy = pairs.entropy;
  }
  if (!want.values) return out;
  options.precision = kernels::Precision::kFloat32;
  options.into_grad = options.into_grad && value_head->leaf(0).grad().defined();
  out.values = ops::linear(rows, value_head->leaf(0), {}, options).squeeze(1);
  return out;
}

at::Tensor Transformer::hidden_states(const PackedTokens& batch) try {
  const at::Tensor x = impl_->layers_output(config_, impl_->inputs(batch, config_), product_options(compute_), true);
  return ops::rms_norm(x, impl_->head->leaf(0), config_.rms_norm_eps);
} catch (...) {
  rethrow_as_error("Transformer::hidden_states");
}

at::Tensor Transformer::logits(const PackedTokens& batch) try {
  return at::mm(hidden_states(batch), impl_->head_weight(config_).t()).to(at::kFloat);
} catch (...) {
  rethrow_as_error("Transformer::logits");
}

TokenOutputs Transformer::logprobs(const PackedTokens& batch, const LogprobOptions& options) try {
  const BatchInputs in = impl_->inputs(batch, config_);
  ops::ProductOptions products = product_options(compute_);
  const at::Tensor x = impl_->layers_output(config_, in, products, options.adapter);
  products.into_grad =
      impl_->head_weight(config_).grad().defined();  // else the backward would hold a second gradient of the vocabulary's size
  return impl_->outputs(config_, x, in, options, view_.vocab_limit, products);
} catch (...) {
  rethrow_as_error("Transformer::logprobs");
}

void Transformer::add_value_head() try {
  GRPO_CHECK(!impl_->value_head, "add_value_head", "expected a model without a value head; got one that has it");
  std::vector<ParameterSlot> slots{{.shape = {1, config_.hidden_size}, .decay = true, .pieces = {{"score.weight", 0, 1}}}};
  impl_->value_head = std::make_unique<ParameterArena>("value head", std::move(slots), dtype(), device());
} catch (...) {
  rethrow_as_error("Transformer::add_value_head");
}

void Transformer::become_classifier() {
  if (!impl_->value_head) add_value_head();
  config_.sequence_classifier = true;
}

ParameterArena* Transformer::value_head() { return impl_->value_head.get(); }

int64_t Transformer::version() const {
  int64_t sum = version_ + impl_->embedding->version() + impl_->head->version();
  for (const auto* arenas : {&impl_->layers, &impl_->adapters}) {
    for (const auto& arena : *arenas) sum += arena->version();
  }
  return impl_->value_head ? sum + impl_->value_head->version() : sum;
}

void init_weights(Transformer& model, uint64_t seed) try {
  const c10::NoGradGuard no_grad;
  uint64_t stream = 0;
  for (auto& parameter : model.named_parameters()) {
    Random random(seed, stream++);
    const bool norm = parameter.name.find("norm") != std::string::npos;
    if (parameter.value.dim() == 1) {
      parameter.value.fill_(norm ? 1.0 : 0.0);
      continue;
    }
    write_floats(parameter.value, [&](float* values) {
      for (int64_t i = 0; i < parameter.value.numel(); ++i)
        values[i] = static_cast<float>(random.normal() * model.config().initializer_range);
    });
  }
} catch (...) {
  rethrow_as_error("init_weights");
}

}  // namespace grpo
