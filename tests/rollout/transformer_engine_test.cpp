#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"
#include "support/checkpoints.h"
#include "toy_model.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

// A rollout as the model scores it: the prompt, then the completion that sees it.
PackedTokens pack(const Rollout& rollout) {
  PackedTokens packed;
  std::vector<int32_t> ids = rollout.prompt_ids;
  ids.insert(ids.end(), rollout.ids.begin(), rollout.ids.end());
  packed.add_segment(ids);
  packed.add_pairs(static_cast<int64_t>(rollout.prompt_ids.size()) - 1, rollout.ids, 0);
  return packed;
}

// Oracle: the training forward. Both round in fp32, in different orders: hence twice the 2e-5 that either is held to.
void expect_training_logprobs(Transformer& model, const std::vector<Rollout>& rollouts, double temperature, float tolerance) {
  for (const Rollout& rollout : rollouts) {
    const at::Tensor expected = model.logprobs(pack(rollout), {.temperature = temperature}).logprobs.detach().contiguous();
    for (size_t t = 0; t < rollout.ids.size(); ++t) EXPECT_NEAR(rollout.logprobs[t], expected.data_ptr<float>()[t], tolerance);
  }
}

// Oracle: transformers' greedy continuations (parity/models/*/golden.json).
TEST(ParityEngine, GreedyContinuationsEqualTransformers) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const fs::path& path : testing::checkpoints()) {
    SCOPED_TRACE(path.filename());
    const auto model = load_model(path);
    RolloutEngine engine(*model);
    std::vector<Prompt> prompts;
    std::vector<std::vector<int32_t>> expected;
    const auto golden = testing::read_json(path / "golden.json");
    for (const auto& each : golden.at("greedy")) {
      prompts.push_back({.problem = 0, .ids = each.at("prompt").get<std::vector<int32_t>>()});
      expected.push_back(each.at("new_tokens").get<std::vector<int32_t>>());
    }
    SamplingParams params;
    params.num_generations = 1;
    params.max_completion_length = 1;
    for (const auto& each : expected)
      params.max_completion_length = std::max(params.max_completion_length, static_cast<int64_t>(each.size()));
    params.temperature = 0.0;
    params.ignore_eos = true;
    auto rollouts = engine.generate(prompts, params, {});
    for (size_t i = 0; i < rollouts.size(); ++i) {
      rollouts[i].ids.resize(expected[i].size());
      EXPECT_EQ(rollouts[i].ids, expected[i]);
    }
  }
}

TEST(ParityEngine, LogprobsEqualTheTrainingForward) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const fs::path& path : testing::checkpoints()) {
    SCOPED_TRACE(path.filename());
    const auto model = load_model(path);
    RolloutEngine engine(*model, {.max_slots = 3});
    SamplingParams params;
    params.num_generations = 4;
    params.max_completion_length = 30;
    params.temperature = 0.9;
    const std::vector<Prompt> prompts = {{.problem = 0, .ids = {5, 6, 7, 8, 9, 10, 11, 12, 13}}, {.problem = 1, .ids = {44}}};
    expect_training_logprobs(*model, engine.generate(prompts, params, {.seed = 3}), 0.9, 4e-5F);
  }
}

TEST(TransformerEngine, SamplesFromTheWeightsAsTheyAre) {
  ModelConfig config = testing::toy_config();
  Transformer model(config, at::kFloat, at::kCPU);
  init_weights(model, 1);
  RolloutEngine engine(model);
  SamplingParams params;
  params.num_generations = 2;
  params.max_completion_length = 10;
  const std::vector<Prompt> prompts = {{.problem = 0, .ids = {5, 6, 7}}};
  const auto before = engine.generate(prompts, params, {});
  expect_training_logprobs(model, before, 1.0, 4e-5F);
  init_weights(model, 2);
  const auto after = engine.generate(prompts, params, {});
  expect_training_logprobs(model, after, 1.0, 4e-5F);
  EXPECT_GT(after[0].policy_version, before[0].policy_version);
  EXPECT_NE(after[0].logprobs, before[0].logprobs);
}

}  // namespace
}  // namespace grpo
