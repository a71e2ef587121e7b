#include "cpu_backend.h"

#include <omp.h>

#include <algorithm>
#include <limits>
#include <string>

#include "attention_scale.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

// Words between rounded rows, so that a tile's rows lie in different cache sets.
constexpr int64_t kStridePadding = 16;

// Up to this size weights stay in the cache that cores share, or nearly: reading them once per thread costs little.
constexpr int64_t kSmallModelBytes = int64_t{64} << 20;

// What a small share of a cache holds.
constexpr int64_t kCachedBytes = int64_t{8} << 20;

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

const kernels::LinearKernels& linear_kernels(const kernels::DecodeKernels& table, ComputeDType dtype) {
  switch (dtype) {
    case ComputeDType::kFloat32:
      return table.float32;
    case ComputeDType::kBFloat16:
      return table.bfloat16;
    case ComputeDType::kInt8:
      return table.int8;
  }
  fail("RolloutEngine", "expected a known compute_dtype; got another value");
}

}  // namespace

std::unique_ptr<DecodeBackend> make_cpu_backend(const EngineOptions& options) {
  return std::make_unique<CpuBackend>(*kernels::cpu_kernels().decode, options);
}

CpuBackend::CpuBackend(const kernels::DecodeKernels& table, const EngineOptions& options)
    : kernels_(table),
      linear_(linear_kernels(table, options.compute_dtype)),
      cache_kernels_(options.kv_dtype == KvDType::kFloat32 ? table.float32_cache : table.bfloat16_cache),
      threads_(options.threads > 0 ? options.threads : omp_get_max_threads()),
      scratch_(static_cast<size_t>(threads_)) {}

void CpuBackend::Activations::resize(int64_t rows, int64_t features, int64_t panel_columns) {
  // A stride that is no power of two keeps the rows of a tile out of each other's cache sets.
  stride = round_up(features, panel_columns) + panel_columns / 2;
  buffer.resize(rows * stride, "activations of the decode engine (lower max_slots)");
}

void CpuBackend::refresh(const ModelView& view, int64_t version) {
  if (view_ == &view && version_ == version) return;
  view_ = &view;
  model_.pack(view, {&linear_, kernels_.panel_columns}, threads_);
  version_ = version;
}

int64_t CpuBackend::page_layer_elements(const ModelConfig& config) const {
  return config.num_key_value_heads * kPageEntries * (config.head_dim + kernels_.value_columns(config.head_dim));
}

int64_t CpuBackend::page_bytes(const ModelView& view) const {
  return page_layer_elements(*view.config) * view.config->num_hidden_layers * cache_kernels_.element_bytes;
}

// Keys and values beside weights that stay in the cache should stay there too, as long as every thread has whole tiles to fill, of enough
// rows to make up for reading the weights. From 128 samples on, weights that are read from memory cost next to nothing.
int64_t CpuBackend::slots(const ModelView& view, int64_t positions) const {
  constexpr int64_t kMost = 128, kRowsOfThread = 8;
  if (model_.bytes() > kCachedBytes) return kMost;
  const int64_t tiles = linear_.tile_rows * threads_, cached = kCachedBytes * kPageEntries / (page_bytes(view) * positions);
  return std::max(round_up(kRowsOfThread, linear_.tile_rows) * threads_, std::min(cached, kMost) / tiles * tiles);
}

void CpuBackend::reserve(const BackendLimits& limits) {
  const ModelConfig& config = *view_->config;
  const int64_t columns = kernels_.panel_columns, group = config.num_attention_heads / config.num_key_value_heads;
  hidden_.resize(limits.rows, config.hidden_size, columns);
  normed_.resize(limits.rows, config.hidden_size, columns);
  qkv_.resize(limits.rows, config.qkv_size(), columns);
  attention_.resize(limits.rows, config.q_size(), columns);
  inner_.resize(limits.rows, config.intermediate_size, columns);
  logits_.resize(limits.slots, config.vocab_size, columns);
  if (rounds()) {
    const int64_t widest = std::max({config.hidden_size, config.q_size(), config.intermediate_size});
    rounded_.stride = words_of(widest) * linear_.input_words + kStridePadding;
    rounded_.words.resize(limits.rows * rounded_.stride, "rounded activations of the decode engine");
    rounded_.scales.resize(limits.rows, "scales of activations");
  }
  for (ThreadScratch& scratch : scratch_) {
    scratch.attention.resize(kernels_.attention_scratch(group, config.head_dim, limits.length), "attention scores");
    scratch.runs.reserve(static_cast<size_t>(pages_for(limits.prefix_capacity) + pages_for(limits.slot_capacity)));
  }
  pages_.resize(limits.pages * page_bytes(*view_),
                "keys and values (lower max_slots or the memory for keys and values, kv_cache_gib in a config)");
}

void CpuBackend::release() {
  model_ = {};
  pages_.release();
  for (Activations* each : {&hidden_, &normed_, &qkv_, &attention_, &inner_, &logits_}) each->buffer.release();
  rounded_ = {};
  version_ = -1;
}

bool CpuBackend::Worker::owns(int64_t row) const { return (by_rows ? row / row_block : row) % threads == thread; }

void CpuBackend::Worker::end_part() const {
  if (by_rows) return;
#pragma omp barrier
}

void CpuBackend::step(const StepBatch& batch, const SamplingParams& params, std::span<DrawnToken> drawn) {
  GRPO_CHECK(batch.steps == 1, "CpuBackend::step", "expected one step a call; got " + std::to_string(batch.steps));
  const std::span<const DecodeRow> rows = batch.rows;
  const std::span<const DecodeDraw> draws = batch.draws;
  sequences_ = batch.sequences;
  const auto drawn_rows = static_cast<int64_t>(draws.size()), all_rows = static_cast<int64_t>(rows.size());
  const bool by_rows = model_.bytes() <= kSmallModelBytes;
  const int64_t useful = by_rows ? (all_rows + linear_.tile_rows - 1) / linear_.tile_rows : threads_;
#pragma omp parallel num_threads(static_cast <int>(std::min <int64_t>(threads_, useful)))
  {
    const Worker worker{omp_get_thread_num(), omp_get_num_threads(), linear_.tile_rows, by_rows, rows.size() > draws.size()};
    embed(worker, rows);
    for (size_t l = 0; l < model_.layers.size(); ++l) run_layer(worker, rows, model_.layers[l], static_cast<int64_t>(l));
    normalise(worker, drawn_rows, model_.final_norm);
    apply(worker, model_.head, normed_, logits_, drawn_rows, false);
    draw(worker, draws, params, drawn);
  }
}

void CpuBackend::run_layer(const Worker& worker, std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number) {
  const auto n = static_cast<int64_t>(rows.size());
  normalise(worker, n, layer.input_norm);
  apply(worker, layer.qkv, normed_, qkv_, n, false);
  store_keys(worker, rows, layer, number);
  attend(worker, rows, layer, number);
  round_rows(worker, attention_, n, view_->config->q_size());
  apply(worker, layer.output, attention_, hidden_, n, true);
  normalise(worker, n, layer.post_attention_norm);
  apply_swiglu(worker, layer.gate_up, n);
  round_rows(worker, inner_, n, view_->config->intermediate_size);
  apply(worker, layer.down, inner_, hidden_, n, true);
}

void CpuBackend::embed(const Worker& worker, std::span<const DecodeRow> rows) {
  const int64_t hidden = view_->config->hidden_size;
  for (int64_t r = 0; r < static_cast<int64_t>(rows.size()); ++r) {
    if (!worker.owns(r)) continue;
    const int64_t offset = rows[static_cast<size_t>(r)].token * hidden * size_of(view_->dtype);
    convert_to_float(static_cast<const char*>(view_->embedding) + offset, view_->dtype, hidden_.row(r), hidden);
  }
  worker.end_part();
}

void CpuBackend::normalise(const Worker& worker, int64_t rows, const std::vector<float>& weight) {
  const auto eps = static_cast<float>(view_->config->rms_norm_eps);
  const int64_t hidden = view_->config->hidden_size;
  for (int64_t r = 0; r < rows; ++r) {
    if (!worker.owns(r)) continue;
    kernels_.rms_norm_row(hidden_.row(r), weight.data(), eps, normed_.row(r), hidden);
    if (rounds()) round_row(normed_, r, hidden);
  }
  worker.end_part();
}

void CpuBackend::round_row(Activations& x, int64_t r, int64_t dim) {
  uint32_t* words = rounded_.words.data() + r * rounded_.stride;
  linear_.round_row(x.row(r), dim, words, rounded_.scales.data() + r);
  linear_.expand_row(words, words_of(dim));
}

void CpuBackend::round_rows(const Worker& worker, Activations& x, int64_t rows, int64_t dim) {
  if (!rounds()) return;
  for (int64_t r = 0; r < rows; ++r) {
    if (worker.owns(r)) round_row(x, r, dim);
  }
  worker.end_part();
}

// x's rows from `first` on as linear layers read them; where they round, the last part has rounded these.
kernels::InputRows CpuBackend::inputs(Activations& x, int64_t first) {
  if (!rounds()) return {reinterpret_cast<const uint32_t*>(x.row(first)), x.stride, nullptr};
  return {rounded_.words.data() + first * rounded_.stride, rounded_.stride, rounded_.scales.data() + first};
}

// kernel(panel, its number, first row, rows) for the worker's share of panels times blocks of rows. A share by outputs is read from memory
// once, each panel while the one before is at work.
template <class Kernel>
void CpuBackend::for_panels(const Worker& worker, const PackedLinear& linear, int64_t rows, const Kernel& kernel) {
  const int64_t tile = linear_.tile_rows, blocks = (rows + tile - 1) / tile, pieces = linear.panels() * blocks;
  const auto run = [&](int64_t panel, int64_t block, int64_t count, bool prefetch_next) {
    const int64_t first = block * tile;
    kernel(linear.panel(panel, prefetch_next), panel, first, std::min(count * tile, rows - first));
  };
  if (worker.by_rows) {
    for (int64_t panel = 0; panel < linear.panels(); ++panel) {
      for (int64_t block = worker.thread; block < blocks; block += worker.threads) run(panel, block, 1, false);
    }
    return;
  }
  const int64_t end = pieces * (worker.thread + 1) / worker.threads;
  for (int64_t piece = pieces * worker.thread / worker.threads; piece < end;) {
    const int64_t panel = piece / blocks, after = std::min(end, (panel + 1) * blocks);
    run(panel, piece % blocks, after - piece, after < end);
    piece = after;
  }
  worker.end_part();
}

void CpuBackend::apply(const Worker& worker, const PackedLinear& linear, Activations& x, Activations& y, int64_t rows, bool accumulate) {
  for_panels(worker, linear, rows, [&](const kernels::LinearPanel& panel, int64_t number, int64_t first, int64_t count) {
    const kernels::RowBlock out{y.row(first) + number * kernels_.panel_columns, y.stride};
    linear_.linear(panel, inputs(x, first), out, count, accumulate);
  });
}

void CpuBackend::apply_swiglu(const Worker& worker, const PackedLinear& linear, int64_t rows) {
  for_panels(worker, linear, rows, [&](const kernels::LinearPanel& panel, int64_t number, int64_t first, int64_t count) {
    const kernels::RowBlock out{inner_.row(first) + number * kernels_.panel_columns / 2, inner_.stride};
    linear_.linear_swiglu(panel, inputs(normed_, first), out, count);
  });
}

CpuBackend::PageLayer CpuBackend::page_layer(int32_t page, int64_t layer) {
  const ModelConfig& config = *view_->config;
  const int64_t bytes = cache_kernels_.element_bytes, key_stride = kPageEntries * config.head_dim;
  std::byte* keys = pages_.data() + (page * config.num_hidden_layers + layer) * page_layer_elements(config) * bytes;
  return {keys, keys + config.num_key_value_heads * key_stride * bytes, key_stride, kPageEntries * kernels_.value_columns(config.head_dim)};
}

// A sequence's own entries [begin, end), page by page.
void CpuBackend::add_runs(const CachedSequence& sequence, int64_t layer, int64_t kv_head, int64_t begin, int64_t end,
                          std::vector<kernels::CacheRun>& runs) {
  const int64_t bytes = kv_head * cache_kernels_.element_bytes;
  for (int64_t first = begin / kPageEntries * kPageEntries; first < end; first += kPageEntries) {
    const PageLayer page = page_layer(sequence.pages[static_cast<size_t>(first / kPageEntries)], layer);
    runs.push_back({page.keys + bytes * page.key_stride, page.values + bytes * page.value_stride, std::max<int64_t>(0, begin - first),
                    std::min(kPageEntries, end - first)});
  }
}

void CpuBackend::store_keys(const Worker& worker, std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number) {
  const ModelConfig& config = *view_->config;
  const RopeTable& rope = *view_->rope;
  for (int64_t r = 0; r < static_cast<int64_t>(rows.size()); ++r) {
    if (!worker.owns(r)) continue;
    const DecodeRow& row = rows[static_cast<size_t>(r)];
    const CachedSequence& sequence = sequences_[static_cast<size_t>(row.sequence)];
    const int64_t entry = row.position - sequence.prefix_length;
    const PageLayer page = page_layer(sequence.pages[static_cast<size_t>(entry / kPageEntries)], number);
    cache_kernels_.rotate_and_store({
        .qkv = qkv_.row(r),
        .q_norm = layer.q_norm.empty() ? nullptr : layer.q_norm.data(),
        .k_norm = layer.k_norm.empty() ? nullptr : layer.k_norm.data(),
        .cos = rope.cos.data() + row.position * rope.pairs,
        .sin = rope.sin.data() + row.position * rope.pairs,
        .heads = config.num_attention_heads,
        .kv_heads = config.num_key_value_heads,
        .head_dim = config.head_dim,
        .pairs = rope.pairs,
        .eps = static_cast<float>(config.rms_norm_eps),
        .scale = kernels::attention_scale(config.head_dim),
        .keys = page.keys,
        .values = page.values,
        .key_stride = page.key_stride,
        .value_stride = page.value_stride,
        .entry = entry % kPageEntries,
    });
  }
  if (worker.by_rows && worker.has_prompts) {
#pragma omp barrier
  }
  worker.end_part();
}

void CpuBackend::attend(const Worker& worker, std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number) {
  const int64_t kv_heads = view_->config->num_key_value_heads;
  ThreadScratch& scratch = scratch_[static_cast<size_t>(worker.thread)];
  for (int64_t r = 0; r < static_cast<int64_t>(rows.size()); ++r) {
    for (int64_t head = 0; head < kv_heads; ++head) {
      const bool mine = worker.by_rows ? worker.owns(r) : worker.owns(r * kv_heads + head);
      if (mine) attend_head(rows[static_cast<size_t>(r)], r, head, layer.window, number, scratch);
    }
  }
  worker.end_part();
}

void CpuBackend::attend_head(const DecodeRow& row, int64_t r, int64_t head, int64_t window, int64_t layer, ThreadScratch& scratch) {
  const ModelConfig& config = *view_->config;
  const CachedSequence& sequence = sequences_[static_cast<size_t>(row.sequence)];
  const int64_t group = config.num_attention_heads / config.num_key_value_heads;
  const int64_t end = row.position + 1, prefix = sequence.prefix_length;
  const int64_t begin = window > 0 ? std::max<int64_t>(0, end - window) : 0;
  scratch.runs.clear();
  if (begin < prefix) add_runs(sequences_[static_cast<size_t>(sequence.prefix)], layer, head, begin, prefix, scratch.runs);
  add_runs(sequence, layer, head, std::max<int64_t>(0, begin - prefix), end - prefix, scratch.runs);
  cache_kernels_.attention({.q = qkv_.row(r) + head * group * config.head_dim,
                            .out = attention_.row(r) + head * group * config.head_dim,
                            .group = group,
                            .head_dim = config.head_dim,
                            .runs = scratch.runs.data(),
                            .run_count = static_cast<int64_t>(scratch.runs.size()),
                            .scratch = scratch.attention.data()});
}

void CpuBackend::draw(const Worker& worker, std::span<const DecodeDraw> draws, const SamplingParams& params, std::span<DrawnToken> drawn) {
  const int64_t limit = view_->vocab_limit, columns = model_.head.panels() * kernels_.panel_columns;
  SamplerScratch& scratch = scratch_[static_cast<size_t>(worker.thread)].sampler;
  for (size_t d = 0; d < draws.size(); ++d) {
    if (!worker.owns(static_cast<int64_t>(d))) continue;
    float* logits = logits_.row(static_cast<int64_t>(d));
    std::fill(logits + limit, logits + columns, -std::numeric_limits<float>::infinity());
    const float uniform = sample_uniform(draws[d].key, draws[d].position);
    drawn[d] = draw_token(kernels_, params, {logits, static_cast<size_t>(columns)}, uniform, draws[d].prompt, draws[d].output, scratch);
  }
}

}  // namespace grpo
