#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "backend.h"
#include "decode_cuda.h"
#include "decode_sample_cuda.h"
#include "device.h"

namespace grpo {

/// The engine's back end on a GPU: the weights where they are, activations and caches of their element type, logits in fp32. A call
/// uploads its rows once; then every step reads the rows that the one before left on the device. Steps without prompts are recorded as
/// graphs, one per bucket of rows, and replayed.
class CudaBackend final : public DecodeBackend {
 public:
  int64_t steps() const override { return kSteps; }
  int64_t slots(const ModelView& /*view*/, int64_t /*positions*/) const override { return 256; }
  void refresh(const ModelView& view, int64_t version) override;
  int64_t page_bytes(const ModelView& view) const override;
  void reserve(const BackendLimits& limits) override;
  void step(const StepBatch& batch, const SamplingParams& params, std::span<DrawnToken> drawn) override;
  void release() override;

 private:
  static constexpr int64_t kSteps = 8;

  /// How many of everything a step has. In a graph they are buckets: what a call has less of is idle.
  struct Shape {
    int64_t rows, draws, shared_tasks;
    friend bool operator<(const Shape& a, const Shape& b) {
      return std::tie(a.rows, a.draws, a.shared_tasks) < std::tie(b.rows, b.draws, b.shared_tasks);
    }
  };
  /// A device array and what goes into it.
  template <class T>
  struct Mirror {
    device::Buffer buffer;
    std::vector<T> host;
    T* data() const { return buffer.data<T>(); }
    void upload(const device::Stream& stream) {
      device::upload(buffer.data(), host.data(), static_cast<int64_t>(host.size() * sizeof(T)), stream.get());
    }
  };

  int64_t pieces_of(int64_t capacity) const { return (capacity + piece_ - 1) / piece_; }
  int64_t size_of_element() const { return device::size_of(element_); }
  void reserve_rows(int64_t rows);
  void reserve_caches(const BackendLimits& limits);
  void reserve_sampling();
  void set_sampling(const SamplingParams& params, size_t stop_count);
  void plan_sequences(std::span<const CachedSequence> sequences);
  void plan_tasks(const StepBatch& batch);
  void plan_call(const StepBatch& batch, const SamplingParams& params);
  void mark_seen(std::span<const DecodeDraw> draws, const SamplingParams& params);
  void upload_call();

  void run_decode_step(const Shape& shape);
  void run_step(const Shape& shape);
  void run_layer(const Shape& shape, size_t number);
  void linear(const LinearView& linear, const device::Buffer& x, void* y, device::Element out, int64_t rows);
  void add_norm(const void* weight, const void* delta, const void* bias, int64_t rows);
  void attend(const Shape& shape, const LayerView& layer, int64_t number);
  void sample(int64_t draws);

  device::Stream stream_;
  const ModelView* view_ = nullptr;
  device::Element element_ = device::Element::kF32;
  device::Buffer cos_, sin_;
  int64_t low_rank_ = 0;  // largest LoRA width

  BackendLimits limits_;
  int64_t slots_ = 0;  // limits_.slots up to a bucket
  int64_t piece_ = 1;  // of attention: see kernels::Attention
  // Of a step: fp32 residual stream, then activations.
  device::Buffer hidden_, normed_, qkv_, attention_, delta_, gate_up_, inner_, low_, partial_;
  device::Buffer logits_, processed_, sums_, processed_sums_;
  device::Buffer pool_, drawn_;
  Mirror<kernels::KvSequence> sequences_;
  Mirror<int32_t> pages_;  // of all sequences, one after the other
  Mirror<kernels::StepRow> rows_;
  Mirror<kernels::AttentionTask> singles_, shared_;
  Mirror<kernels::DrawState> states_;
  Mirror<int32_t> stop_ids_;
  Mirror<uint32_t> seen_;
  std::vector<kernels::Drawn> received_;

  // What graphs have baked in.
  struct Sampling {
    double temperature = 0.0, top_p = 1.0, min_p = 0.0, repetition_penalty = 1.0;
    int64_t top_k = 0, vocab_limit = 0;
    size_t stop_count = 0;
    bool greedy = false, reshapes = false;
    friend bool operator==(const Sampling&, const Sampling&) = default;
  };
  Sampling sampling_;
  std::map<Shape, device::Graph> graphs_;  // empty: the shape has run once
};

}  // namespace grpo
