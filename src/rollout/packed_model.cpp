#include "packed_model.h"

namespace grpo {
namespace {

void read_norm(const void* weights, DType dtype, int64_t count, std::vector<float>& out) {
  out.clear();
  if (weights == nullptr) return;
  out.resize(static_cast<size_t>(count));
  convert_to_float(weights, dtype, out.data(), count);
}

}  // namespace

void PackedModel::pack(const ModelView& view, const PackFormat& format, int threads) {
  using Layout = PackedLinear::Layout;
  const ModelConfig& config = *view.config;
  layers.resize(view.layers.size());
  for (size_t l = 0; l < layers.size(); ++l) {
    const LayerView& from = view.layers[l];
    PackedLayer& to = layers[l];
    to.qkv.pack(from.qkv, Layout::kRows, format, threads, "packed weights");
    to.output.pack(from.output, Layout::kRows, format, threads, "packed weights");
    to.gate_up.pack(from.gate_up, Layout::kHalves, format, threads, "packed weights");
    to.down.pack(from.down, Layout::kRows, format, threads, "packed weights");
    read_norm(from.input_norm, view.dtype, config.hidden_size, to.input_norm);
    read_norm(from.post_attention_norm, view.dtype, config.hidden_size, to.post_attention_norm);
    read_norm(from.q_norm, view.dtype, config.head_dim, to.q_norm);
    read_norm(from.k_norm, view.dtype, config.head_dim, to.k_norm);
    to.window = from.window;
  }
  read_norm(view.final_norm, view.dtype, config.hidden_size, final_norm);
  head.pack(view.head, Layout::kRows, format, threads, "packed weights");
}

int64_t PackedModel::bytes() const {
  int64_t total = head.bytes();
  for (const PackedLayer& layer : layers) total += layer.qkv.bytes() + layer.output.bytes() + layer.gate_up.bytes() + layer.down.bytes();
  return total;
}

}  // namespace grpo
