#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
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
  EXPECT_GT(after[0].weights_version, before[0].weights_version);
  EXPECT_NE(after[0].logprobs, before[0].logprobs);
}

struct Write {
  std::string name;
  std::function<void(Transformer&)> write;
};

class TransformerEngineWrites : public ::testing::TestWithParam<Write> {};

// Nobody has to say that weights were written: whatever wrote them, the next samples are of the weights as they are.
TEST_P(TransformerEngineWrites, ReachTheNextSamples) {
  Transformer model(testing::toy_config(), at::kFloat, at::kCPU);
  init_weights(model, 1);
  RolloutEngine engine(model);
  SamplingParams params;
  params.num_generations = 2;
  params.max_completion_length = 10;
  const std::vector<Prompt> prompts = {{.problem = 0, .ids = {5, 6, 7}}};
  const auto before = engine.generate(prompts, params, {});
  const int64_t version = model.version();
  {
    const c10::NoGradGuard no_grad;
    GetParam().write(model);
  }
  EXPECT_GT(model.version(), version);
  const auto after = engine.generate(prompts, params, {});
  expect_training_logprobs(model, after, 1.0, 4e-5F);
  EXPECT_NE(after[0].logprobs, before[0].logprobs);
}

void take_step(Transformer& model) {
  AdamW optimizer(model.trainable(), {.learning_rate = 0.05});
  for (auto* arena : model.trainable()) at::Tensor(arena->flat_grad()).normal_();
  optimizer.step();
}

INSTANTIATE_TEST_SUITE_P(Writers, TransformerEngineWrites,
                         ::testing::Values(Write{"adamw", take_step},
                                           Write{"flat", [](Transformer& model) { at::Tensor(model.parameters()[1]->flat()).mul_(1.5); }},
                                           Write{"leaf", [](Transformer& model) { at::Tensor(model.parameters()[1]->leaf(1)).mul_(1.5); }},
                                           Write{"named_parameter",
                                                 [](Transformer& model) { model.named_parameters()[1].value.mul_(1.5); }},
                                           Write{"init", [](Transformer& model) { init_weights(model, 2); }},
                                           Write{"adapter",
                                                 [](Transformer& model) {
                                                   model.add_adapter({.rank = 2, .target_modules = {"q_proj", "v_proj", "down_proj"}});
                                                   init_adapter(model, 7);
                                                   take_step(model);
                                                 }},
                                           Write{"adapter_merged",
                                                 [](Transformer& model) {
                                                   model.add_adapter({.rank = 2, .target_modules = {"q_proj", "v_proj", "down_proj"}});
                                                   init_adapter(model, 7);
                                                   take_step(model);
                                                   merge_adapter(model);
                                                 }}),
                         [](const auto& test) { return test.param.name; });

TEST(TransformerVersion, NeverGoesBack) {
  Transformer model(testing::toy_config(), at::kFloat, at::kCPU);
  model.add_adapter({.rank = 2, .target_modules = {"q_proj"}});
  init_adapter(model, 7);
  const int64_t with = model.version();
  model.remove_adapter();
  EXPECT_GT(model.version(), with);
}

}  // namespace
}  // namespace grpo
