#pragma once

#include <cstdint>
#include <vector>

#include "device.h"
#include "grpo/model/view.h"

namespace grpo::testing {

/// A model's weights in the device's memory.
class DeviceModel {
 public:
  explicit DeviceModel(const ModelView& host) : view(host) {
    view.device = ModelView::Device::kCuda;
    copy(host, nullptr);
    device::synchronize();
  }
  DeviceModel(const DeviceModel&) = delete;

  /// Enqueues the copy of a model of the same shape; `host` stays valid until it is done.
  void copy(const ModelView& host, CUstream_st* stream) {
    const ModelConfig& config = *host.config;
    const int64_t hidden = config.hidden_size;
    next_ = 0;
    view.embedding = put(host.embedding, config.vocab_size * hidden, host.dtype, stream);
    view.final_norm = put(host.final_norm, hidden, host.dtype, stream);
    put(view.head, host.head, stream);
    for (size_t l = 0; l < host.layers.size(); ++l) {
      LayerView& to = view.layers[l];
      const LayerView& from = host.layers[l];
      for (const auto member : {&LayerView::qkv, &LayerView::output, &LayerView::gate_up, &LayerView::down}) {
        put(to.*member, from.*member, stream);
      }
      to.input_norm = put(from.input_norm, hidden, host.dtype, stream);
      to.post_attention_norm = put(from.post_attention_norm, hidden, host.dtype, stream);
      to.q_norm = put(from.q_norm, config.head_dim, host.dtype, stream);
      to.k_norm = put(from.k_norm, config.head_dim, host.dtype, stream);
    }
  }

  ModelView view;

 private:
  const void* put(const void* values, int64_t count, DType dtype, CUstream_st* stream) {
    if (values == nullptr) return nullptr;
    if (next_ == buffers_.size()) buffers_.emplace_back().resize(count * size_of(dtype), "a test");
    device::upload(buffers_[next_].data(), values, count * size_of(dtype), stream);
    return buffers_[next_++].data();
  }
  void put(LinearView& to, const LinearView& from, CUstream_st* stream) {
    to.weight = put(from.weight, from.out * from.in, from.dtype, stream);
    to.bias = put(from.bias, from.out, from.dtype, stream);
    int64_t adapted = 0;
    for (const auto& rows : from.lora_pieces) adapted += rows.size();
    to.lora_a = put(from.lora_a, from.lora_width() * from.in, from.dtype, stream);
    to.lora_b = put(from.lora_b, adapted * from.rank, from.dtype, stream);
  }
  std::vector<device::Buffer> buffers_;
  size_t next_ = 0;
};

}  // namespace grpo::testing
