#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend.h"
#include "dispatch.h"
#include "packed_model.h"
#include "sampler.h"

namespace grpo {

/// The engine's back end on CPUs: packed panels, one OpenMP region per step.
class CpuBackend final : public DecodeBackend {
 public:
  CpuBackend(const kernels::DecodeKernels& table, const EngineOptions& options);

  int64_t steps() const override { return 1; }
  int64_t slots(const ModelView& view, int64_t positions) const override;
  void refresh(const ModelView& view, int64_t version) override;
  int64_t page_bytes(const ModelView& view) const override;
  void reserve(const BackendLimits& limits) override;
  void step(const StepBatch& batch, const SamplingParams& params, std::span<DrawnToken> drawn) override;
  void release() override;

 private:
  // A layer of a page, at kv head 0: keys, then values (see kernels::CacheRun); the heads' parts lie so many elements apart.
  struct PageLayer {
    std::byte *keys, *values;
    int64_t key_stride, value_stride;
  };
  // Activations [rows, features], features rounded up to whole panels.
  struct Activations {
    Buffer<float> buffer;
    int64_t stride = 0;
    void resize(int64_t rows, int64_t features, int64_t panel_columns);
    float* row(int64_t r) { return buffer.data() + r * stride; }
  };
  // The rows that a linear layer is about to read, rounded to its type. Unused in fp32.
  struct Rounded {
    Buffer<uint32_t> words;
    Buffer<kernels::RowScale> scales;
    int64_t stride = 0;
  };
  struct ThreadScratch {
    Buffer<float> attention;
    std::vector<kernels::CacheRun> runs;
    SamplerScratch sampler;
  };

  // How a step is split over threads. Small models by rows: a thread takes its rows through all layers and waits for nobody, save for
  // the keys of prompts. Large ones by outputs, so that each weight is read from memory once: every part ends with a barrier.
  struct Worker {
    int64_t thread, threads;
    int64_t row_block;  // rows that a thread takes at a time: a register tile
    bool by_rows;
    bool has_prompts;
    bool owns(int64_t row) const;
    void end_part() const;
  };

  int64_t page_layer_elements(const ModelConfig& config) const;
  void embed(const Worker& worker, std::span<const DecodeRow> rows);
  void run_layer(const Worker& worker, std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number);
  void normalise(const Worker& worker, int64_t rows, const std::vector<float>& weight);
  template <class Kernel>
  void for_panels(const Worker& worker, const PackedLinear& linear, int64_t rows, const Kernel& kernel);
  bool rounds() const { return linear_.per_word > 1; }
  int64_t words_of(int64_t dim) const { return (dim + linear_.per_word - 1) / linear_.per_word; }
  void round_row(Activations& x, int64_t r, int64_t dim);
  void round_rows(const Worker& worker, Activations& x, int64_t rows, int64_t dim);
  kernels::InputRows inputs(Activations& x, int64_t first);
  void apply(const Worker& worker, const PackedLinear& linear, Activations& x, Activations& y, int64_t rows, bool accumulate);
  void apply_swiglu(const Worker& worker, const PackedLinear& linear, int64_t rows);
  void store_keys(const Worker& worker, std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number);
  void attend(const Worker& worker, std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number);
  void attend_head(const DecodeRow& row, int64_t r, int64_t head, int64_t window, int64_t layer, ThreadScratch& scratch);
  void draw(const Worker& worker, std::span<const DecodeDraw> draws, const SamplingParams& params, std::span<DrawnToken> drawn);
  PageLayer page_layer(int32_t page, int64_t layer);
  void add_runs(const CachedSequence& sequence, int64_t layer, int64_t kv_head, int64_t begin, int64_t end,
                std::vector<kernels::CacheRun>& runs);

  const kernels::DecodeKernels& kernels_;
  const kernels::LinearKernels& linear_;
  const kernels::CacheKernels& cache_kernels_;
  int threads_;
  const ModelView* view_ = nullptr;
  int64_t version_ = -1;
  PackedModel model_;
  Buffer<std::byte> pages_;
  std::span<const CachedSequence> sequences_;  // of the step at hand
  Activations hidden_, normed_, qkv_, attention_, inner_, logits_;
  Rounded rounded_;
  std::vector<ThreadScratch> scratch_;
};

}  // namespace grpo
