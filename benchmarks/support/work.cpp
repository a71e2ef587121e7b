#include "support/work.h"

#include <algorithm>

#include "grpo/core/error.h"
#include "grpo/core/random.h"

namespace grpo::bench {
namespace {

struct Shape {
  const char* name;
  const char* model_type;
  int64_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab;
  bool tied;
};
constexpr Shape kShapes[] = {{"tiny-1m", "llama", 128, 384, 4, 4, 4, 32, 512, true},
                             {"tiny-6m", "llama", 256, 704, 8, 8, 8, 32, 512, true},
                             {"smollm2-135m", "llama", 576, 1536, 30, 9, 3, 64, 49152, true},
                             {"qwen2.5-0.5b", "qwen2", 896, 4864, 24, 14, 2, 64, 151936, true},
                             {"qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151936, true},
                             {"qwen2.5-1.5b", "qwen2", 1536, 8960, 28, 12, 2, 128, 151936, true},
                             {"qwen2.5-7b", "qwen2", 3584, 18944, 28, 28, 4, 128, 152064, false}};

double real(int64_t value) { return static_cast<double>(value); }

double layer_weights(const ModelConfig& m) { return real(m.hidden_size * (m.qkv_size() + m.q_size() + 3 * m.intermediate_size)); }

/// Forward of the layers for `tokens` tokens that see `context` positions each.
double layers_flops(const ModelConfig& m, double tokens, double context) {
  return tokens * real(m.num_hidden_layers) * (2.0 * layer_weights(m) + 4.0 * real(m.q_size()) * context);
}

double head_flops(const ModelConfig& m, double tokens) { return 2.0 * tokens * real(m.hidden_size * m.vocab_size); }

double prompt_flops(const ModelConfig& m, const StepWork& w) {
  return layers_flops(m, real(w.prompts * w.prompt_length), real(w.prompt_length) / 2);
}

double completion_flops(const ModelConfig& m, const StepWork& w) {
  const double tokens = real(w.completion_tokens());
  return layers_flops(m, tokens, real(w.prompt_length) + real(w.completion_length) / 2) + head_flops(m, tokens);
}

}  // namespace

ModelConfig model_shape(const std::string& name, int64_t layers) {
  const auto* const shape = std::find_if(std::begin(kShapes), std::end(kShapes), [&](const Shape& s) { return s.name == name; });
  if (shape == std::end(kShapes)) {
    std::string names;
    for (const Shape& known : kShapes) names += std::string(names.empty() ? "" : ", ") + known.name;
    fail_usage("--shape", "expected one of " + names + "; got " + name);
  }
  ModelConfig m;
  m.model_type = shape->model_type;
  m.vocab_size = shape->vocab;
  m.hidden_size = shape->hidden;
  m.intermediate_size = shape->intermediate;
  m.num_hidden_layers = layers > 0 ? layers : shape->layers;
  m.num_attention_heads = shape->heads;
  m.num_key_value_heads = shape->kv_heads;
  m.head_dim = shape->head_dim;
  m.tie_word_embeddings = shape->tied;
  m.qkv_bias = m.model_type == "qwen2";
  m.qk_norm = m.model_type == "qwen3";
  return m;
}

double decode_flops(const ModelConfig& model, const StepWork& work) { return prompt_flops(model, work) + completion_flops(model, work); }

double train_flops(const ModelConfig& model, const StepWork& work) {
  return 3.0 * (prompt_flops(model, work) + completion_flops(model, work));
}

double decode_floor(const ModelConfig& model, const StepWork& work, const Limits& limits) {
  const double rate = limits.matmul_gflop_s * 1e9, bandwidth = limits.read_gb_s * 1e9;
  const double weights = real(model.num_hidden_layers) * layer_weights(model) + real(model.hidden_size * model.vocab_size);
  const double entry = 2.0 * real(model.num_hidden_layers * model.kv_size());
  double seconds = prompt_flops(model, work) / rate;
  for (int64_t position = 0; position < work.completion_length; ++position) {
    const double cached = entry * real(work.prompts * work.prompt_length + work.sequences() * position);
    const double flops =
        layers_flops(model, real(work.sequences()), real(work.prompt_length + position)) + head_flops(model, real(work.sequences()));
    seconds += std::max(4.0 * (weights + cached) / bandwidth, flops / rate);
  }
  return seconds;
}

double train_floor(const ModelConfig& model, const StepWork& work, const Limits& limits) {
  return train_flops(model, work) / (limits.matmul_gflop_s * 1e9);
}

EngineOptions sampler_options(const std::string& type) {
  const auto compute = type_named<ComputeDType>(
      type, {{"float32", ComputeDType::kFloat32}, {"bfloat16", ComputeDType::kBFloat16}, {"int8", ComputeDType::kInt8}});
  return {.compute_dtype = compute, .kv_dtype = compute == ComputeDType::kFloat32 ? KvDType::kFloat32 : KvDType::kBFloat16};
}

std::vector<int32_t> spread_ids(int64_t count, int64_t limit) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) ids[static_cast<size_t>(i)] = static_cast<int32_t>(i * 7919 % limit);
  return ids;
}

std::vector<Rollout> random_rollouts(const ModelConfig& model, const StepWork& work, uint64_t seed) {
  Random random(seed, 0);
  const auto ids = [&](int64_t count) {
    std::vector<int32_t> drawn(static_cast<size_t>(count));
    for (auto& id : drawn) id = static_cast<int32_t>(random.uniform_int(3, model.vocab_size - 1));
    return drawn;
  };
  std::vector<Rollout> rollouts;
  for (int64_t group = 0; group < work.prompts; ++group) {
    const auto prompt = ids(work.prompt_length);
    for (int64_t sample = 0; sample < work.num_generations; ++sample) {
      Rollout& rollout = rollouts.emplace_back();
      rollout.problem = rollout.group = group;
      rollout.sample = sample;
      rollout.prompt_ids = prompt;
      rollout.ids = ids(work.completion_length);
    }
  }
  return rollouts;
}

}  // namespace grpo::bench
