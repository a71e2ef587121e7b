#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/rollout/engine.h"
#include "rollout/toy_model.h"

namespace grpo::testing {

inline std::vector<Prompt> some_prompts(int64_t vocab) {
  Random random(5);
  std::vector<Prompt> prompts;
  for (const int length : {1, 2, 7, 33, 40, 3, 19}) {
    Prompt& prompt = prompts.emplace_back();
    prompt.problem = static_cast<int64_t>(100 + prompts.size());
    for (int i = 0; i < length; ++i) prompt.ids.push_back(static_cast<int32_t>(random.uniform_int(0, vocab - 1)));
  }
  return prompts;
}

inline RolloutEngine engine_of(const ToyModel& model, const EngineOptions& options = {}) {
  return RolloutEngine(
      model.view, [] { return int64_t{7}; }, options);
}

inline SamplingParams short_params(int64_t generations = 3, int64_t length = 20) {
  SamplingParams params;
  params.num_generations = generations;
  params.max_completion_length = length;
  return params;
}

/// What models differ in.
struct Family {
  const char* name;
  void (*change)(ModelConfig&);
};
inline constexpr Family kFamilies[] = {{"plain", [](ModelConfig&) {}},
                                       {"biases", [](ModelConfig& c) { c.qkv_bias = c.output_bias = c.mlp_bias = true; }},
                                       {"qk_norm", [](ModelConfig& c) { c.qk_norm = true; }},
                                       {"windows",
                                        [](ModelConfig& c) {
                                          c.sliding_window = {8, 0};
                                        }},
                                       {"tied", [](ModelConfig& c) { c.tie_word_embeddings = true; }},
                                       {"group7",
                                        [](ModelConfig& c) {
                                          c.num_attention_heads = 14;
                                          c.head_dim = 8;
                                        }},
                                       {"one_kv_head", [](ModelConfig& c) {
                                          c.num_attention_heads = 5;
                                          c.num_key_value_heads = 1;
                                          c.head_dim = 64;
                                        }}};

/// Adapters of several ranks, of q and v alone where q, k and v are one product, as many do.
inline void add_some_lora(ToyModel& model) {
  for (LayerView& layer : model.view.layers) {
    model.add_lora(layer.qkv, 3, {{0, 60}, {80, 100}});
    model.add_lora(layer.output, 3);
    model.add_lora(layer.gate_up, 2, {{0, 35}, {35, 70}});
    model.add_lora(layer.down, 4);
  }
}

/// By prompt, then by sample.
inline void sort_by_sample(std::vector<Rollout>& rollouts) {
  std::sort(rollouts.begin(), rollouts.end(),
            [](const Rollout& a, const Rollout& b) { return std::tie(a.problem, a.sample) < std::tie(b.problem, b.sample); });
}

inline void expect_equal(const std::vector<Rollout>& a, const std::vector<Rollout>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].problem, b[i].problem);
    EXPECT_EQ(a[i].sample, b[i].sample);
    EXPECT_EQ(a[i].ids, b[i].ids);
    EXPECT_EQ(a[i].logprobs, b[i].logprobs);
    EXPECT_EQ(a[i].processed_logprobs, b[i].processed_logprobs);
    EXPECT_EQ(a[i].finish, b[i].finish);
  }
}

struct Types {
  ComputeDType compute;
  KvDType kv;
};

inline constexpr Types kTypes[] = {{ComputeDType::kFloat32, KvDType::kFloat32},   {ComputeDType::kBFloat16, KvDType::kFloat32},
                                   {ComputeDType::kInt8, KvDType::kFloat32},      {ComputeDType::kFloat32, KvDType::kBFloat16},
                                   {ComputeDType::kBFloat16, KvDType::kBFloat16}, {ComputeDType::kInt8, KvDType::kBFloat16}};

inline EngineOptions with_types(EngineOptions options, const Types& types) {
  options.compute_dtype = types.compute;
  options.kv_dtype = types.kv;
  return options;
}

inline std::string error_of(RolloutEngine& engine, const std::vector<Prompt>& prompts, const SamplingParams& params) {
  try {
    engine.generate(prompts, params, {});
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace grpo::testing
