// The CUDA back end, on a GPU or executed on the host, over the parity folder's checkpoints. On the host this program's make_cuda_backend
// takes the place of libgrpo's stub.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"
#include "support/checkpoints.h"
#include "support/place.h"

namespace grpo {
namespace {

std::vector<Rollout> generate(Transformer& model, const std::vector<Prompt>& prompts, const SamplingParams& params) {
  RolloutEngine engine(model, {.max_slots = 5});
  return engine.generate(prompts, params, {.seed = 3});
}

const testing::Place& gpu() {
  static const testing::Place place = testing::places().front();
  return place;
}

// Oracle: transformers' greedy continuations (parity/models/*/golden.json).
TEST(ParityCudaEngine, GreedyContinuationsEqualTransformers) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const auto& path : testing::checkpoints()) {
    SCOPED_TRACE(path.filename());
    const testing::At use(gpu());
    const auto model = load_model(path, {.device = gpu().device});
    const auto golden = testing::read_json(path / "golden.json");
    std::vector<Prompt> prompts;
    std::vector<std::vector<int32_t>> expected;
    SamplingParams params;
    params.num_generations = 1;
    params.temperature = 0.0;
    params.ignore_eos = true;
    params.max_completion_length = 1;
    for (const auto& each : golden.at("greedy")) {
      prompts.push_back({.problem = 0, .ids = each.at("prompt").get<std::vector<int32_t>>()});
      expected.push_back(each.at("new_tokens").get<std::vector<int32_t>>());
      params.max_completion_length = std::max(params.max_completion_length, static_cast<int64_t>(expected.back().size()));
    }
    auto rollouts = generate(*model, prompts, params);
    for (size_t i = 0; i < rollouts.size(); ++i) {
      rollouts[i].ids.resize(expected[i].size());
      EXPECT_EQ(rollouts[i].ids, expected[i]);
    }
  }
}

// Oracle: the CPU back end. Both round in fp32, in different orders.
TEST(ParityCudaEngine, SamplesEqualTheCpus) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const auto& path : testing::checkpoints()) {
    SCOPED_TRACE(path.filename());
    SamplingParams params;
    params.num_generations = 3;
    params.max_completion_length = 12;
    params.temperature = 0.9;
    const std::vector<Prompt> prompts = {{.problem = 0, .ids = {5, 6, 7, 8, 9, 10, 11, 12, 13}}, {.problem = 1, .ids = {44}}};
    const auto expected = generate(*load_model(path), prompts, params);
    const testing::At use(gpu());
    const auto found = generate(*load_model(path, {.device = gpu().device}), prompts, params);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].ids, expected[i].ids);
      for (size_t t = 0; t < found[i].ids.size(); ++t) EXPECT_NEAR(found[i].logprobs[t], expected[i].logprobs[t], 4e-5F);
    }
  }
}

}  // namespace
}  // namespace grpo
