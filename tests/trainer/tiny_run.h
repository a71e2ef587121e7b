#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/config.h"
#include "grpo/trainer/policy_trainer.h"
#include "grpo/trainer/registry.h"
#include "support/metrics.h"

// A run of seconds, and what two runs are compared by.
namespace grpo::testing {

namespace fs = std::filesystem;

/// A few thousand parameters on sums of two one-digit numbers.
inline Config tiny_config(const std::string& name) {
  Config c;
  c.model.new_model = {.hidden_size = 16,
                       .intermediate_size = 32,
                       .num_hidden_layers = 2,
                       .num_attention_heads = 2,
                       .num_key_value_heads = 1,
                       .max_position_embeddings = 48,
                       .extra_tokens = {"<think>", "</think>", "<answer>", "</answer>"}};
  c.data.train = {
      .path = {}, .fields = {}, .task = "chained_arithmetic", .options = {{"terms", "2"}}, .split = "train", .count = 40, .seed = 5};
  c.data.prompt.prompt_template = "plain";
  c.reward = {{.name = "even", .function = {}, .weight = 1.0, .options = {}},
              {.name = "length", .function = {}, .weight = 0.5, .options = {{"target", "4"}}}};
  c.rollout.sampling.num_generations = 4;
  c.rollout.sampling.max_completion_length = 8;
  c.algorithm.generation_batch_size = 16;
  c.optim.learning_rate = 1e-3;
  c.trainer.output_dir = (fs::path(::testing::TempDir()) / name).string();
  c.trainer.max_steps = 4;
  c.trainer.save_total_limit = 0;
  c.trainer.max_tokens = 64;
  fs::remove_all(c.trainer.output_dir);
  return c;
}

/// As tiny_config, with LoRA beside a base on disk.
inline Config lora_config(const std::string& name) {
  Config c = tiny_config(name);
  const auto base = fs::path(::testing::TempDir()) / "lora-base";
  c.model.new_model.tie_word_embeddings = false;
  const Policy policy = load_policy(c.model, 3);
  for (auto& parameter : policy.model->named_parameters()) {
    if (parameter.name == "lm_head.weight") parameter.value.mul_(20.0);  // a new head is too small for the layers to matter
  }
  save_policy(policy, base.string(), "float32");
  c.model = {};
  c.model.path = base.string();
  c.model.lora = {.rank = 2, .alpha = 4.0};
  return c;
}

/// Every byte of the text is a step, right where it is even ASCII.
class EvenSteps final : public Reward {
 public:
  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& /*context*/) override {
    for (size_t i = 0; i < batch.size(); ++i) {
      for (const char c : batch[i].text) scores[i].steps.push_back({scores[i].steps.size() + 1, c > 0 && c % 2 == 0 ? 1.0 : 0.0});
    }
  }
};

/// Partial rollouts of two samples a group and of 1 to 24 tokens: a new model samples a letter, which ends them, one time in five.
inline void pause_samples(Config& c, int64_t length) {
  c.model.new_model.max_position_embeddings = 64;
  c.rollout.sampling.num_generations = 2;
  c.rollout.sampling.max_completion_length = 24;
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    c.rollout.sampling.stop.emplace_back(1, letter);
    c.rollout.sampling.stop.emplace_back(1, static_cast<char>(letter - 'A' + 'a'));
  }
  c.rollout.partial_rollout_length = length;
}

inline Registry registry() {
  auto r = builtin_registry();
  r.add_reward<EvenSteps>("even_steps");
  r.add_reward("even", [](const Completion& c) {
    int64_t even = 0;
    for (const int32_t id : c.ids) even += id % 2 == 0 ? 1 : 0;
    Score score(static_cast<double>(even) / static_cast<double>(c.ids.size()), "", even > 0 ? "some even" : "all odd");
    score.gold = "even numbers";
    score.given = "even number " + std::to_string(c.ids.front() % 7);
    return score;
  });
  return r;
}

inline std::vector<at::Tensor> weights(Transformer& model) {
  std::vector<at::Tensor> all;
  for (const auto* arena : model.parameters()) all.push_back(arena->flat().clone());
  return all;
}

inline bool equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].equal(b[i])) return false;
  }
  return true;
}

/// metrics.jsonl without what a clock decides.
inline std::vector<nlohmann::json> metric_lines(const Config& c) { return timeless_metrics(c.trainer.output_dir); }

/// verdicts.json.
inline nlohmann::json verdicts_of(const Config& c) {
  std::ifstream file(fs::path(c.trainer.output_dir) / "verdicts.json");
  return nlohmann::json::parse(file);
}

/// That a run whose last checkpoint is lost goes on from the one before as if never interrupted: to these lines and, as `state` reads it,
/// to this state.
inline void expect_resumes(const Config& c, const std::vector<at::Tensor>& expected, const std::vector<nlohmann::json>& lines,
                           std::vector<at::Tensor> (*state)(Transformer&) = weights) {
  const nlohmann::json verdicts = verdicts_of(c);
  fs::remove_all(fs::path(c.trainer.output_dir) / ("checkpoint-" + std::to_string(c.trainer.max_steps)));
  PolicyTrainer again(c, {}, registry());
  ASSERT_TRUE(again.resume());
  EXPECT_EQ(again.steps_done(), c.trainer.save_steps);
  ASSERT_TRUE(again.train());
  EXPECT_TRUE(equal(state(again.model()), expected));
  EXPECT_EQ(metric_lines(c), lines);
  EXPECT_EQ(verdicts_of(c), verdicts);
}

}  // namespace grpo::testing
