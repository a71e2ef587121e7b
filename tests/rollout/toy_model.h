#pragma once

#include <cmath>
#include <cstdint>
#include <deque>
#include <vector>

#include "grpo/core/random.h"
#include "grpo/model/view.h"

namespace grpo::testing {

/// Random weights in plain arrays behind a ModelView: a policy for tests that need no tensors. `spread` is the standard deviation of
/// matrices.
class ToyModel {
 public:
  ToyModel(const ModelConfig& wanted, uint64_t seed, float spread = 0.3F) : config(wanted), random_(seed), spread_(spread) {
    const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
    fill_rope();
    view.config = &config;
    view.rope = &rope;
    view.embedding = matrix(config.vocab_size * hidden, 1.0F);
    view.final_norm = norm(hidden);
    if (config.tie_word_embeddings) {
      view.head.weight = view.embedding;
      view.head.out = config.vocab_size;
      view.head.in = hidden;
    } else {
      view.head = linear(config.vocab_size, hidden, false);
    }
    view.vocab_limit = config.vocab_size;
    for (int64_t l = 0; l < config.num_hidden_layers; ++l) {
      LayerView& layer = view.layers.emplace_back();
      layer.qkv = linear(config.qkv_size(), hidden, config.qkv_bias);
      layer.output = linear(hidden, config.q_size(), config.output_bias);
      layer.gate_up = linear(2 * inner, hidden, config.mlp_bias);
      layer.down = linear(hidden, inner, config.mlp_bias);
      layer.input_norm = norm(hidden);
      layer.post_attention_norm = norm(hidden);
      if (config.qk_norm) layer.q_norm = norm(config.head_dim);
      if (config.qk_norm) layer.k_norm = norm(config.head_dim);
      layer.window = config.window(l);
    }
  }
  ToyModel(const ToyModel&) = delete;

  float* matrix(int64_t count, float spread) {
    std::vector<float>& values = storage_.emplace_back(static_cast<size_t>(count));
    for (float& value : values) value = spread * static_cast<float>(random_.normal());
    return values.data();
  }
  /// Puts a LoRA of `rank` beside a linear layer: one for all its rows, or one for each of `pieces`.
  void add_lora(LinearView& linear, int64_t rank, std::vector<LinearView::Rows> pieces = {}) {
    if (pieces.empty()) pieces = {{0, linear.out}};
    int64_t outputs = 0;
    for (const auto& piece : pieces) outputs += piece.size();
    linear.lora_a = matrix(rank * static_cast<int64_t>(pieces.size()) * linear.in, spread_);
    linear.lora_b = matrix(outputs * rank, spread_);
    linear.lora_pieces = std::move(pieces);
    linear.rank = rank;
    linear.lora_scale = 0.5F;
  }

  ModelConfig config;
  RopeTable rope;
  ModelView view;

 private:
  float* norm(int64_t count) {
    float* values = matrix(count, 0.2F);
    for (int64_t i = 0; i < count; ++i) values[i] += 1.0F;
    return values;
  }
  LinearView linear(int64_t out, int64_t in, bool bias) {
    LinearView made;
    made.weight = matrix(out * in, spread_);
    if (bias) made.bias = matrix(out, spread_);
    made.out = out;
    made.in = in;
    return made;
  }
  void fill_rope() {
    rope.positions = config.max_position_embeddings;
    rope.pairs = config.head_dim / 2;
    for (int64_t t = 0; t < rope.positions; ++t) {
      for (int64_t i = 0; i < rope.pairs; ++i) {
        const double angle =
            static_cast<double>(t) * std::pow(config.rope.theta, -static_cast<double>(i) / static_cast<double>(rope.pairs));
        rope.cos.push_back(static_cast<float>(std::cos(angle)));
        rope.sin.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  std::deque<std::vector<float>> storage_;
  Random random_;
  float spread_;
};

/// A small Llama with odd sizes: GQA group 3, dimensions that fill no vector.
inline ModelConfig toy_config() {
  ModelConfig config;
  config.vocab_size = 37;
  config.hidden_size = 22;
  config.intermediate_size = 35;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 6;
  config.num_key_value_heads = 2;
  config.head_dim = 10;
  config.max_position_embeddings = 96;
  return config;
}

using Matrix = std::vector<std::vector<double>>;

/// W x + bias + lora_scale B_p A_p x for each piece p, in double.
inline std::vector<double> reference_linear(const LinearView& linear, const std::vector<double>& x) {
  const auto* weight = static_cast<const float*>(linear.weight);
  const auto *a = static_cast<const float*>(linear.lora_a), *b = static_cast<const float*>(linear.lora_b);
  std::vector<double> y(static_cast<size_t>(linear.out), 0.0);
  for (int64_t o = 0; o < linear.out; ++o) {
    double& sum = y[static_cast<size_t>(o)];
    if (linear.bias != nullptr) sum = static_cast<const float*>(linear.bias)[o];
    for (int64_t i = 0; i < linear.in; ++i) sum += weight[o * linear.in + i] * x[static_cast<size_t>(i)];
  }
  for (const auto& piece : linear.lora_pieces) {
    for (int64_t r = 0; r < linear.rank; ++r) {
      double low = 0.0;
      for (int64_t i = 0; i < linear.in; ++i) low += a[r * linear.in + i] * x[static_cast<size_t>(i)];
      for (int64_t o = 0; o < piece.size(); ++o)
        y[static_cast<size_t>(piece.begin + o)] += linear.lora_scale * b[o * linear.rank + r] * low;
    }
    a += linear.rank * linear.in;
    b += piece.size() * linear.rank;
  }
  return y;
}

inline std::vector<double> reference_norm(const double* x, int64_t n, const void* weight, double eps) {
  double squares = 0.0;
  for (int64_t i = 0; i < n; ++i) squares += x[i] * x[i];
  std::vector<double> y;
  for (int64_t i = 0; i < n; ++i)
    y.push_back(x[i] / std::sqrt(squares / static_cast<double>(n) + eps) * static_cast<const float*>(weight)[i]);
  return y;
}

/// Logits after every token of `ids` in double: plain loops, one layer after the other.
inline Matrix reference_logits(const ModelView& view, const std::vector<int32_t>& ids) {
  const ModelConfig& config = *view.config;
  const int64_t d = config.head_dim, heads = config.num_attention_heads, kv_heads = config.num_key_value_heads;
  Matrix hidden;
  for (const int32_t id : ids) {
    const float* row = static_cast<const float*>(view.embedding) + id * config.hidden_size;
    hidden.emplace_back(row, row + config.hidden_size);
  }
  const auto add = [](std::vector<double>& to, const std::vector<double>& what) {
    for (size_t i = 0; i < to.size(); ++i) to[i] += what[i];
  };
  for (const LayerView& layer : view.layers) {
    Matrix qkv;
    for (size_t t = 0; t < ids.size(); ++t) {
      qkv.push_back(
          reference_linear(layer.qkv, reference_norm(hidden[t].data(), config.hidden_size, layer.input_norm, config.rms_norm_eps)));
      for (int64_t h = 0; h < heads + kv_heads; ++h) {
        double* head = qkv[t].data() + h * d;
        const void* weight = h < heads ? layer.q_norm : layer.k_norm;
        if (weight != nullptr) {
          const auto normed = reference_norm(head, d, weight, config.rms_norm_eps);
          std::copy(normed.begin(), normed.end(), head);
        }
        for (int64_t i = 0; i < view.rope->pairs; ++i) {
          const size_t at = t * static_cast<size_t>(view.rope->pairs) + static_cast<size_t>(i);
          const double low = head[i], high = head[i + view.rope->pairs], cos = view.rope->cos[at], sin = view.rope->sin[at];
          head[i] = low * cos - high * sin;
          head[i + view.rope->pairs] = high * cos + low * sin;
        }
      }
    }
    for (size_t t = 0; t < ids.size(); ++t) {
      std::vector<double> mixed(static_cast<size_t>(heads * d), 0.0);
      const size_t first = layer.window > 0 && t + 1 > static_cast<size_t>(layer.window) ? t + 1 - static_cast<size_t>(layer.window) : 0;
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t k_at = (heads + h / (heads / kv_heads)) * d, v_at = k_at + kv_heads * d;
        std::vector<double> weights;
        double total = 0.0;
        for (size_t s = first; s <= t; ++s) {
          double score = 0.0;
          for (int64_t i = 0; i < d; ++i) score += qkv[t][static_cast<size_t>(h * d + i)] * qkv[s][static_cast<size_t>(k_at + i)];
          weights.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
          total += weights.back();
        }
        for (size_t s = first; s <= t; ++s) {
          for (int64_t i = 0; i < d; ++i) {
            mixed[static_cast<size_t>(h * d + i)] += weights[s - first] / total * qkv[s][static_cast<size_t>(v_at + i)];
          }
        }
      }
      add(hidden[t], reference_linear(layer.output, mixed));
      const auto gate_up = reference_linear(
          layer.gate_up, reference_norm(hidden[t].data(), config.hidden_size, layer.post_attention_norm, config.rms_norm_eps));
      std::vector<double> inner;
      for (size_t i = 0; i < gate_up.size() / 2; ++i) {
        inner.push_back(gate_up[i] / (1.0 + std::exp(-gate_up[i])) * gate_up[gate_up.size() / 2 + i]);
      }
      add(hidden[t], reference_linear(layer.down, inner));
    }
  }
  Matrix logits;
  for (const auto& row : hidden) {
    logits.push_back(reference_linear(view.head, reference_norm(row.data(), config.hidden_size, view.final_norm, config.rms_norm_eps)));
  }
  return logits;
}

/// log softmax(logits / temperature)[id] over the first `limit` entries.
inline double reference_logprob(const std::vector<double>& logits, int32_t id, double temperature, int64_t limit) {
  double total = 0.0;
  for (int64_t v = 0; v < limit; ++v) total += std::exp(logits[static_cast<size_t>(v)] / temperature);
  return logits[static_cast<size_t>(id)] / temperature - std::log(total);
}

}  // namespace grpo::testing
