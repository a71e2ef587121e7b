#include "cuda_backend.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr std::string_view kCudaBackendWhere = "RolloutEngine (CUDA)";

device::Element element_of(DType dtype) {
  if (dtype == DType::kF32) return device::Element::kF32;
  if (dtype == DType::kBF16) return device::Element::kBF16;
  fail_usage(kCudaBackendWhere, "expected weights in F32 or BF16; got " + std::string(to_string(dtype)));
}

void check_linear(const LinearView& linear, DType dtype) {
  if (linear.dtype != dtype || linear.scale != nullptr) fail_usage(kCudaBackendWhere, "expected plain weights of one type; got others");
}

// What the kernels do not do is refused before anything runs. Returns the largest LoRA width.
int64_t check_model(const ModelView& view) {
  const int64_t group = view.config->num_attention_heads / view.config->num_key_value_heads;
  if (group > kernels::kMaxGroup) {
    fail_usage(kCudaBackendWhere,
               "expected at most " + std::to_string(kernels::kMaxGroup) + " query heads per key-value head; got " + std::to_string(group));
  }
  if (view.head.bias != nullptr) fail_usage(kCudaBackendWhere, "expected an output head without bias; got one");
  int64_t width = view.head.lora_width();
  check_linear(view.head, view.dtype);
  for (const LayerView& layer : view.layers) {
    for (const LinearView* linear : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down}) {
      check_linear(*linear, view.dtype);
      width = std::max(width, linear->lora_width());
    }
  }
  return width;
}

void upload_new(device::Buffer& buffer, const std::vector<float>& values, const device::Stream& stream) {
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(float));
  buffer.resize(bytes, "the rotary table");
  device::upload(buffer.data(), values.data(), bytes, stream.get());
}

// Up to 8 a power of two, then steps that waste little.
int64_t bucket(int64_t n) {
  if (n <= 8) return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n)));
  const int64_t unit = n <= 64 ? 8 : 32;
  return (n + unit - 1) / unit * unit;
}

}  // namespace

std::unique_ptr<DecodeBackend> make_cuda_backend() {
  if (device::count() == 0) fail_usage(kCudaBackendWhere, "expected a GPU and its driver; got none");
  return std::make_unique<CudaBackend>();
}

void CudaBackend::refresh(const ModelView& view, int64_t) {
  // Addresses are fixed for a model's lifetime: a new version of the weights needs nothing but that its writing is over.
  device::synchronize();
  const int64_t width = check_model(view);
  if (view_ == &view && low_rank_ == width) return;
  release();
  element_ = element_of(view.dtype);
  low_rank_ = width;
  view_ = &view;
  upload_new(cos_, view.rope->cos, stream_);
  upload_new(sin_, view.rope->sin, stream_);
  stream_.synchronize();
}

int64_t CudaBackend::page_bytes(const ModelView& view) const {
  const ModelConfig& config = *view.config;
  return kernels::kv_page_elements(config.num_hidden_layers, config.num_key_value_heads, config.head_dim) *
         device::size_of(element_of(view.dtype));
}

void CudaBackend::reserve(const BackendLimits& limits) {
  if (limits == limits_) return;
  graphs_.clear();
  limits_ = limits;
  slots_ = bucket(limits.slots);
  sampling_ = {};
  reserve_caches(limits);
  reserve_rows(std::max(limits.rows, slots_));
}

void CudaBackend::reserve_caches(const BackendLimits& limits) {
  piece_ = kernels::attention_piece(limits.length);
  pool_.resize(limits.pages * page_bytes(*view_),
               "keys and values (lower max_slots or the memory for keys and values, kv_cache_gib in a config)");
  pages_.buffer.resize(limits.pages * static_cast<int64_t>(sizeof(int32_t)), "the table of pages");
  sequences_.buffer.resize(2 * limits.slots * static_cast<int64_t>(sizeof(kernels::KvSequence)), "sequences");
}

void CudaBackend::reserve_rows(int64_t rows) {
  const ModelConfig& config = *view_->config;
  const char* what = "activations of the decode engine (lower max_slots)";
  const int64_t size = size_of_element();
  hidden_.resize(rows * config.hidden_size * 4, what);
  normed_.resize(rows * config.hidden_size * size, what);
  delta_.resize(rows * config.hidden_size * size, what);
  qkv_.resize(rows * config.qkv_size() * size, what);
  attention_.resize(rows * config.q_size() * size, what);
  gate_up_.resize(rows * 2 * config.intermediate_size * size, what);
  inner_.resize(rows * config.intermediate_size * size, what);
  low_.resize(rows * low_rank_ * size, what);
  const int64_t prefix = pieces_of(limits_.prefix_capacity), parts = prefix + std::max(prefix, pieces_of(limits_.slot_capacity));
  partial_.resize(rows * config.num_attention_heads * parts * (kernels::kv_stride(config.head_dim) + 2) * 4, what);
  logits_.resize(slots_ * config.vocab_size * 4, "logits (lower max_slots)");
  drawn_.resize(kSteps * slots_ * static_cast<int64_t>(sizeof(kernels::Drawn)), what);
  rows_.buffer.resize(rows * static_cast<int64_t>(sizeof(kernels::StepRow)), what);
  states_.buffer.resize(slots_ * static_cast<int64_t>(sizeof(kernels::DrawState)), what);
  singles_.buffer.resize(slots_ * static_cast<int64_t>(sizeof(kernels::AttentionTask)), what);
  shared_.buffer.resize(2 * rows * static_cast<int64_t>(sizeof(kernels::AttentionTask)), what);
}

void CudaBackend::release() {
  graphs_.clear();
  for (device::Buffer* each : {&cos_,          &sin_,         &hidden_,         &normed_,        &qkv_,           &attention_,
                               &delta_,        &gate_up_,     &inner_,          &low_,           &partial_,       &logits_,
                               &processed_,    &sums_,        &processed_sums_, &pool_,          &drawn_,         &sequences_.buffer,
                               &pages_.buffer, &rows_.buffer, &singles_.buffer, &shared_.buffer, &states_.buffer, &stop_ids_.buffer,
                               &seen_.buffer}) {
    each->release();
  }
  view_ = nullptr;
  limits_ = {};
}

void CudaBackend::step(const StepBatch& batch, const SamplingParams& params, std::span<DrawnToken> drawn) {
  const auto draws = static_cast<int64_t>(batch.draws.size()), rows = static_cast<int64_t>(batch.rows.size());
  GRPO_CHECK(batch.steps == 1 || (batch.steps <= kSteps && rows == draws), "CudaBackend::step",
             "expected one step, or up to 8 where all rows draw; got " + std::to_string(batch.steps));
  set_sampling(params, batch.stop_ids.size());
  plan_call(batch, params);
  if (rows > draws) {
    upload_call();
    run_step({rows, draws, static_cast<int64_t>(shared_.host.size())});
  } else {
    const int64_t shared = static_cast<int64_t>(shared_.host.size());
    const Shape shape{bucket(draws), bucket(draws), shared == 0 ? 0 : bucket(shared)};
    rows_.host.resize(static_cast<size_t>(shape.rows));  // idle
    singles_.host.resize(static_cast<size_t>(shape.rows));
    shared_.host.resize(static_cast<size_t>(shape.shared_tasks));
    upload_call();
    for (int64_t s = 0; s < batch.steps; ++s) run_decode_step(shape);
  }
  received_.resize(static_cast<size_t>(batch.steps * slots_));
  device::download(received_.data(), drawn_.data(), batch.steps * slots_ * static_cast<int64_t>(sizeof(kernels::Drawn)), stream_.get());
  stream_.synchronize();
  for (int64_t s = 0; s < batch.steps; ++s) {
    for (int64_t d = 0; d < draws; ++d) {
      const kernels::Drawn& token = received_[static_cast<size_t>(s * slots_ + d)];
      drawn[static_cast<size_t>(s * draws + d)] = {token.id, token.logprob, token.processed_logprob};
    }
  }
}

}  // namespace grpo
