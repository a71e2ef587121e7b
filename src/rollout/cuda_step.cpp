#include <algorithm>

#include "attention_scale.h"
#include "cuda_backend.h"

// The launches of one step. Everything they are given but the contents of device memory is fixed by the shape and the sampling.
namespace grpo {

using device::Element;

void CudaBackend::run_decode_step(const Shape& shape) {
  const auto [entry, is_new] = graphs_.try_emplace(shape);
  if (is_new) {  // once directly: kernels are loaded and workspaces allocated at their first use, which cannot be recorded
    run_step(shape);
    return;
  }
  device::Graph& graph = entry->second;
  if (!graph) graph = device::Graph::capture(stream_, [&] { run_step(shape); });
  graph.replay(stream_);
}

void CudaBackend::run_step(const Shape& shape) {
  kernels::embed_cuda(rows_.data(), shape.rows, view_->embedding, element_, view_->config->hidden_size, hidden_.data<float>(),
                      stream_.get());
  for (size_t l = 0; l < view_->layers.size(); ++l) run_layer(shape, l);
  const LayerView& last = view_->layers.back();
  add_norm(view_->final_norm, delta_.data(), last.down.bias, shape.draws);
  linear(view_->head, normed_, logits_.data(), Element::kF32, shape.draws);
  sample(shape.draws);
}

void CudaBackend::run_layer(const Shape& shape, size_t number) {
  const ModelConfig& config = *view_->config;
  const LayerView& layer = view_->layers[number];
  const bool first = number == 0;
  add_norm(layer.input_norm, first ? nullptr : delta_.data(), first ? nullptr : view_->layers[number - 1].down.bias, shape.rows);
  linear(layer.qkv, normed_, qkv_.data(), element_, shape.rows);
  attend(shape, layer, static_cast<int64_t>(number));
  linear(layer.output, attention_, delta_.data(), element_, shape.rows);
  add_norm(layer.post_attention_norm, delta_.data(), layer.output.bias, shape.rows);
  linear(layer.gate_up, normed_, gate_up_.data(), element_, shape.rows);
  kernels::swiglu_cuda(gate_up_.data(), layer.gate_up.bias, inner_.data(), shape.rows, config.intermediate_size, element_, stream_.get());
  linear(layer.down, inner_, delta_.data(), element_, shape.rows);
}

// y = x Wᵀ + lora_scale (x Aᵀ) Bᵀ, B by pieces; biases are added by the kernels that read y.
void CudaBackend::linear(const LinearView& linear, const device::Buffer& x, void* y, Element out, int64_t rows) {
  const device::Matrix input{x.data(), element_, linear.in};
  device::matmul(input, {linear.weight, element_, linear.in, true}, {y, out, linear.out}, rows, linear.out, linear.in, stream_.get());
  if (linear.rank == 0) return;
  const int64_t width = linear.lora_width(), element = device::size_of(element_);
  device::matmul(input, {linear.lora_a, element_, linear.in, true}, {low_.data(), element_, width}, rows, width, linear.in, stream_.get());
  const auto *low = low_.data<const char>(), *b = static_cast<const char*>(linear.lora_b);
  for (const auto& piece : linear.lora_pieces) {
    device::matmul({low, element_, width}, {b, element_, linear.rank, true},
                   {static_cast<char*>(y) + piece.begin * device::size_of(out), out, linear.out, linear.lora_scale, 1.0F}, rows,
                   piece.size(), linear.rank, stream_.get());
    low += linear.rank * element;
    b += piece.size() * linear.rank * element;
  }
}

void CudaBackend::add_norm(const void* weight, const void* delta, const void* bias, int64_t rows) {
  kernels::add_norm_cuda({.hidden = hidden_.data<float>(),
                          .delta = delta,
                          .bias = bias,
                          .weight = weight,
                          .out = normed_.data(),
                          .dim = view_->config->hidden_size,
                          .eps = static_cast<float>(view_->config->rms_norm_eps)},
                         rows, element_, stream_.get());
}

void CudaBackend::attend(const Shape& shape, const LayerView& layer, int64_t number) {
  const ModelConfig& config = *view_->config;
  const kernels::KvCache cache{
      .pool = pool_.data(),
      .pages = pages_.data(),
      .sequences = sequences_.data(),
      .page_elements = kernels::kv_page_elements(config.num_hidden_layers, config.num_key_value_heads, config.head_dim),
      .layer = number,
      .kv_heads = config.num_key_value_heads,
      .head_dim = config.head_dim,
      .stride = kernels::kv_stride(config.head_dim)};
  kernels::rotate_store_cuda({.qkv = qkv_.data(),
                              .bias = layer.qkv.bias,
                              .q_norm = layer.q_norm,
                              .k_norm = layer.k_norm,
                              .cos = cos_.data<float>(),
                              .sin = sin_.data<float>(),
                              .pairs = view_->rope->pairs,
                              .heads = config.num_attention_heads,
                              .eps = static_cast<float>(config.rms_norm_eps),
                              .cache = cache},
                             rows_.data(), shape.rows, element_, stream_.get());
  const bool has_prompts = shape.rows > shape.draws;
  kernels::attention_cuda(
      {.qkv = qkv_.data(),
       .out = attention_.data(),
       .singles = singles_.data(),
       .shared = shared_.data(),
       .single_count = shape.draws,
       .shared_count = shape.shared_tasks,
       .heads = config.num_attention_heads,
       .window = layer.window,
       .scale = kernels::attention_scale(config.head_dim),
       .piece = piece_,
       .prefix_pieces = pieces_of(limits_.prefix_capacity),
       .own_pieces = pieces_of(has_prompts ? std::max(limits_.slot_capacity, limits_.prefix_capacity) : limits_.slot_capacity),
       .partial = partial_.data<float>(),
       .cache = cache},
      rows_.data(), shape.rows, element_, stream_.get());
}

void CudaBackend::sample(int64_t draws) {
  const int64_t stride = view_->config->vocab_size;
  const auto inverse = static_cast<float>(1.0 / sampling_.temperature);
  const kernels::Logits plain{logits_.data<float>(), sums_.data<kernels::ChunkSums>(), stride, sampling_.vocab_limit, inverse};
  kernels::Logits processed = plain;
  uint32_t* seen = sampling_.repetition_penalty == 1.0 ? nullptr : seen_.data();
  kernels::logit_sums_cuda(plain, rows_.data(), draws, stream_.get());
  if (sampling_.reshapes) {
    processed.logits = processed_.data<float>();
    processed.sums = processed_sums_.data<kernels::ChunkSums>();
    kernels::reshape_logits_cuda({.logits = plain.logits,
                                  .processed = processed_.data<float>(),
                                  .stride = stride,
                                  .limit = sampling_.vocab_limit,
                                  .temperature = sampling_.temperature,
                                  .repetition_penalty = sampling_.repetition_penalty,
                                  .min_p = sampling_.min_p,
                                  .top_p = sampling_.top_p,
                                  .top_k = sampling_.top_k,
                                  .seen = seen},
                                 rows_.data(), draws, stream_.get());
    kernels::logit_sums_cuda(processed, rows_.data(), draws, stream_.get());
  }
  kernels::draw_cuda({.plain = plain,
                      .processed = processed,
                      .greedy = sampling_.greedy,
                      .stop_ids = stop_ids_.data(),
                      .stop_count = static_cast<int64_t>(sampling_.stop_count),
                      .seen = seen,
                      .states = states_.data(),
                      .drawn = drawn_.data<kernels::Drawn>(),
                      .drawn_stride = slots_},
                     rows_.data(), draws, stream_.get());
}

}  // namespace grpo
