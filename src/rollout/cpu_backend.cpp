#include "cpu_backend.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "grpo/core/error.h"

namespace grpo {
namespace {

// Rows that one piece of a linear layer covers: enough to reuse a panel, few enough to spread narrow layers over the threads.
constexpr int64_t kRowBlock = 32;

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

std::unique_ptr<DecodeBackend> make_cpu_backend(int threads) {
  return std::make_unique<CpuBackend>(*kernels::cpu_kernels().decode, threads);
}

CpuBackend::CpuBackend(const kernels::DecodeKernels& table, int threads)
    : kernels_(table), threads_(threads > 0 ? threads : omp_get_max_threads()), scratch_(static_cast<size_t>(threads_)) {}

void CpuBackend::Activations::resize(int64_t rows, int64_t features, int64_t panel_columns) {
  // A stride that is no power of two keeps the rows of a tile out of each other's cache sets.
  stride = round_up(features, panel_columns) + panel_columns / 2;
  buffer.resize(rows * stride, "activations of the decode engine (lower max_slots or prefill_tokens)");
}

void CpuBackend::refresh(const ModelView& view, int64_t version) {
  if (view_ == &view && version_ == version) return;
  view_ = &view;
  model_.pack(view, kernels_.panel_columns, threads_);
  version_ = version;
}

int64_t CpuBackend::layer_floats(int64_t capacity) const {
  const ModelConfig& config = *view_->config;
  return config.num_key_value_heads * capacity * (config.head_dim + kernels_.value_columns(config.head_dim));
}

int64_t CpuBackend::sequence_bytes(const ModelView& view, int64_t capacity) const {
  const ModelConfig& config = *view.config;
  const int64_t per_position = config.num_key_value_heads * (config.head_dim + kernels_.value_columns(config.head_dim));
  return round_up(capacity, kernels_.panel_columns) * per_position * config.num_hidden_layers * static_cast<int64_t>(sizeof(float));
}

void CpuBackend::reserve(const BackendLimits& limits) {
  const ModelConfig& config = *view_->config;
  const int64_t columns = kernels_.panel_columns, group = config.num_attention_heads / config.num_key_value_heads;
  hidden_.resize(limits.rows, config.hidden_size, columns);
  normed_.resize(limits.rows, config.hidden_size, columns);
  qkv_.resize(limits.rows, config.qkv_size(), columns);
  attention_.resize(limits.rows, config.q_size(), columns);
  inner_.resize(limits.rows, config.intermediate_size, columns);
  logits_.resize(limits.draws, config.vocab_size, columns);
  for (ThreadScratch& scratch : scratch_) {
    scratch.attention.resize(kernels_.attention_scratch(group, config.head_dim, limits.length), "attention scores");
  }
  sequences_.resize(static_cast<size_t>(std::max(limits.sequences, static_cast<int64_t>(sequences_.size()))));
}

void CpuBackend::bind(int32_t sequence, int64_t capacity, int32_t prefix, int64_t prefix_length) {
  Sequence& bound = sequences_[static_cast<size_t>(sequence)];
  bound.capacity = round_up(capacity, kernels_.panel_columns);
  bound.prefix = prefix;
  bound.prefix_length = prefix_length;
  bound.cache.resize(layer_floats(bound.capacity) * view_->config->num_hidden_layers,
                     "keys and values (lower max_slots, kv_budget_bytes or max_completion_length)");
}

void CpuBackend::release() {
  model_ = {};
  sequences_.clear();
  for (Activations* each : {&hidden_, &normed_, &qkv_, &attention_, &inner_, &logits_}) each->buffer.release();
  version_ = -1;
}

void CpuBackend::step(std::span<const DecodeRow> rows, std::span<const DecodeDraw> draws, const SamplingParams& params,
                      std::span<DrawnToken> drawn) {
  const auto drawn_rows = static_cast<int64_t>(draws.size());
#pragma omp parallel num_threads(threads_)
  {
    embed(rows);
    for (size_t l = 0; l < model_.layers.size(); ++l) run_layer(rows, model_.layers[l], static_cast<int64_t>(l));
    normalise(drawn_rows, model_.final_norm);
    apply(model_.head, normed_, logits_, drawn_rows, false);
    draw(draws, params, drawn);
  }
}

void CpuBackend::run_layer(std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number) {
  const auto n = static_cast<int64_t>(rows.size());
  normalise(n, layer.input_norm);
  apply(layer.qkv, normed_, qkv_, n, false);
  store_keys(rows, layer, number);
  attend(rows, layer, number);
  apply(layer.output, attention_, hidden_, n, true);
  normalise(n, layer.post_attention_norm);
  apply_swiglu(layer.gate_up, n);
  apply(layer.down, inner_, hidden_, n, true);
}

void CpuBackend::embed(std::span<const DecodeRow> rows) {
  const int64_t hidden = view_->config->hidden_size;
#pragma omp for schedule(static)
  for (size_t r = 0; r < rows.size(); ++r) {
    const auto* row = static_cast<const char*>(view_->embedding) + rows[r].token * hidden * size_of(view_->dtype);
    convert_to_float(row, view_->dtype, hidden_.row(static_cast<int64_t>(r)), hidden);
  }
}

void CpuBackend::normalise(int64_t rows, const std::vector<float>& weight) {
  const auto eps = static_cast<float>(view_->config->rms_norm_eps);
#pragma omp for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    kernels_.rms_norm_row(hidden_.row(r), weight.data(), eps, normed_.row(r), view_->config->hidden_size);
  }
}

void CpuBackend::apply(const PackedLinear& linear, Activations& x, Activations& y, int64_t rows, bool accumulate) {
  const int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
#pragma omp for schedule(static)
  for (int64_t piece = 0; piece < linear.panels() * blocks; ++piece) {
    const int64_t panel = piece / blocks, first = piece % blocks * kRowBlock;
    const kernels::RowBlock out{y.row(first) + panel * kernels_.panel_columns, y.stride};
    kernels_.linear(linear.panel(panel), x.from(first), out, std::min(kRowBlock, rows - first), accumulate);
  }
}

void CpuBackend::apply_swiglu(const PackedLinear& linear, int64_t rows) {
  const int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
#pragma omp for schedule(static)
  for (int64_t piece = 0; piece < linear.panels() * blocks; ++piece) {
    const int64_t panel = piece / blocks, first = piece % blocks * kRowBlock;
    const kernels::RowBlock out{inner_.row(first) + panel * kernels_.panel_columns / 2, inner_.stride};
    kernels_.linear_swiglu(linear.panel(panel), normed_.from(first), out, std::min(kRowBlock, rows - first));
  }
}

kernels::CacheRun CpuBackend::cache_run(int32_t sequence, int64_t layer, int64_t kv_head, int64_t begin, int64_t end) const {
  const ModelConfig& config = *view_->config;
  const Sequence& from = sequences_[static_cast<size_t>(sequence)];
  const float* keys = from.cache.data() + layer * layer_floats(from.capacity);
  const float* values = keys + config.num_key_value_heads * from.capacity * config.head_dim;
  return {keys + kv_head * from.capacity * config.head_dim, values + kv_head * from.capacity * kernels_.value_columns(config.head_dim),
          begin, end};
}

void CpuBackend::store_keys(std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number) {
  const ModelConfig& config = *view_->config;
  const RopeTable& rope = *view_->rope;
#pragma omp for schedule(static)
  for (size_t r = 0; r < rows.size(); ++r) {
    Sequence& sequence = sequences_[static_cast<size_t>(rows[r].sequence)];
    float* keys = sequence.cache.data() + number * layer_floats(sequence.capacity);
    kernels_.rotate_and_store({
        .qkv = qkv_.row(static_cast<int64_t>(r)),
        .q_norm = layer.q_norm.empty() ? nullptr : layer.q_norm.data(),
        .k_norm = layer.k_norm.empty() ? nullptr : layer.k_norm.data(),
        .cos = rope.cos.data() + rows[r].position * rope.pairs,
        .sin = rope.sin.data() + rows[r].position * rope.pairs,
        .heads = config.num_attention_heads,
        .kv_heads = config.num_key_value_heads,
        .head_dim = config.head_dim,
        .pairs = rope.pairs,
        .eps = static_cast<float>(config.rms_norm_eps),
        .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim))),
        .keys = keys,
        .values = keys + config.num_key_value_heads * sequence.capacity * config.head_dim,
        .key_stride = sequence.capacity * config.head_dim,
        .value_stride = sequence.capacity * kernels_.value_columns(config.head_dim),
        .entry = rows[r].position - sequence.prefix_length,
    });
  }
}

void CpuBackend::attend(std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number) {
  const ModelConfig& config = *view_->config;
  const int64_t kv_heads = config.num_key_value_heads, group = config.num_attention_heads / kv_heads;
  float* scratch = scratch_[static_cast<size_t>(omp_get_thread_num())].attention.data();
#pragma omp for schedule(dynamic, 4)
  for (int64_t piece = 0; piece < static_cast<int64_t>(rows.size()) * kv_heads; ++piece) {
    const int64_t r = piece / kv_heads, head = piece % kv_heads;
    const DecodeRow& row = rows[static_cast<size_t>(r)];
    const Sequence& sequence = sequences_[static_cast<size_t>(row.sequence)];
    const int64_t end = row.position + 1, prefix = sequence.prefix_length;
    const int64_t begin = layer.window > 0 ? std::max<int64_t>(0, end - layer.window) : 0;
    kernels::AttentionTask task{.q = qkv_.row(r) + head * group * config.head_dim,
                                .out = attention_.row(r) + head * group * config.head_dim,
                                .group = group,
                                .head_dim = config.head_dim,
                                .runs = {{nullptr, nullptr, 0, 0}, {nullptr, nullptr, 0, 0}},
                                .scratch = scratch};
    if (begin < prefix) task.runs[0] = cache_run(sequence.prefix, number, head, begin, prefix);
    task.runs[1] = cache_run(row.sequence, number, head, std::max<int64_t>(0, begin - prefix), end - prefix);
    kernels_.attention(task);
  }
}

void CpuBackend::draw(std::span<const DecodeDraw> draws, const SamplingParams& params, std::span<DrawnToken> drawn) {
  const int64_t limit = view_->vocab_limit, columns = model_.head.panels() * kernels_.panel_columns;
  SamplerScratch& scratch = scratch_[static_cast<size_t>(omp_get_thread_num())].sampler;
#pragma omp for schedule(dynamic, 1)
  for (size_t d = 0; d < draws.size(); ++d) {
    float* logits = logits_.row(static_cast<int64_t>(d));
    std::fill(logits + limit, logits + columns, -std::numeric_limits<float>::infinity());
    const float uniform = sample_uniform(draws[d].key, draws[d].position);
    drawn[d] = draw_token(kernels_, params, {logits, static_cast<size_t>(columns)}, uniform, draws[d].prompt, draws[d].output, scratch);
  }
}

}  // namespace grpo
