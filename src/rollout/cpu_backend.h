#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend.h"
#include "dispatch.h"
#include "packed_model.h"
#include "sampler.h"

namespace grpo {

/// The engine's back end on CPUs: fp32 panels, fp32 caches, one OpenMP region per step.
class CpuBackend final : public DecodeBackend {
 public:
  CpuBackend(const kernels::DecodeKernels& table, int threads);

  void refresh(const ModelView& view, int64_t version) override;
  int64_t sequence_bytes(const ModelView& view, int64_t capacity) const override;
  void reserve(const BackendLimits& limits) override;
  void bind(int32_t sequence, int64_t capacity, int32_t prefix, int64_t prefix_length) override;
  void step(std::span<const DecodeRow> rows, std::span<const DecodeDraw> draws, const SamplingParams& params,
            std::span<DrawnToken> drawn) override;
  void release() override;

 private:
  // Keys, then values of each layer: see kernels::CacheRun. `capacity` is a multiple of panel_columns.
  struct Sequence {
    FloatBuffer cache;
    int64_t capacity = 0;
    int32_t prefix = -1;
    int64_t prefix_length = 0;
  };
  // Activations [rows, features], features rounded up to whole panels.
  struct Activations {
    FloatBuffer buffer;
    int64_t stride = 0;
    void resize(int64_t rows, int64_t features, int64_t panel_columns);
    float* row(int64_t r) { return buffer.data() + r * stride; }
    kernels::RowBlock from(int64_t r) { return {row(r), stride}; }
  };
  struct ThreadScratch {
    FloatBuffer attention;
    SamplerScratch sampler;
  };

  int64_t layer_floats(int64_t capacity) const;
  // The parts of a step: each is called by every thread of the region and ends with a barrier.
  void embed(std::span<const DecodeRow> rows);
  void run_layer(std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number);
  void normalise(int64_t rows, const std::vector<float>& weight);
  void apply(const PackedLinear& linear, Activations& x, Activations& y, int64_t rows, bool accumulate);
  void apply_swiglu(const PackedLinear& linear, int64_t rows);
  void store_keys(std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number);
  void attend(std::span<const DecodeRow> rows, const PackedLayer& layer, int64_t number);
  void draw(std::span<const DecodeDraw> draws, const SamplingParams& params, std::span<DrawnToken> drawn);
  kernels::CacheRun cache_run(int32_t sequence, int64_t layer, int64_t kv_head, int64_t begin, int64_t end) const;

  const kernels::DecodeKernels& kernels_;
  int threads_;
  const ModelView* view_ = nullptr;
  int64_t version_ = -1;
  PackedModel model_;
  std::vector<Sequence> sequences_;
  Activations hidden_, normed_, qkv_, attention_, inner_, logits_;
  std::vector<ThreadScratch> scratch_;
};

}  // namespace grpo
