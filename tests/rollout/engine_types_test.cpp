#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine_fixture.h"
#include "grpo/rollout/engine.h"

namespace grpo {
namespace {

using namespace testing;

/// Mean of |recorded log-prob - the double-precision one| over all sampled tokens.
double mean_difference(const ToyModel& model, const std::vector<Rollout>& rollouts) {
  double sum = 0.0, count = 0.0;
  for (const Rollout& rollout : rollouts) {
    std::vector<int32_t> ids = rollout.prompt_ids;
    ids.insert(ids.end(), rollout.ids.begin(), rollout.ids.end());
    const auto logits = testing::reference_logits(model.view, ids);
    for (size_t t = 0; t < rollout.ids.size(); ++t, count += 1.0) {
      const auto& row = logits[rollout.prompt_ids.size() - 1 + t];
      sum += std::abs(rollout.logprobs[t] - testing::reference_logprob(row, rollout.ids[t], 1.0, model.view.vocab_limit));
    }
  }
  return sum / count;
}

// Oracle: a forward in double by plain loops, on weights that are not rounded. The bounds are a few times what rounding of relative size
// 2^-9 (bf16) and 1/254 of a row's largest (int8) makes of this model's logits, whose spread is about 5; each type must differ, too.
TEST(EngineTypes, RoundingMovesLogprobsWithinBounds) {
  ModelConfig config = toy_config();
  config.qkv_bias = config.mlp_bias = true;
  ToyModel model(config, 3);
  for (const Types& types : kTypes) {
    SCOPED_TRACE(::testing::Message() << "types " << static_cast<int>(types.compute) << ' ' << static_cast<int>(types.kv));
    auto engine = engine_of(model, with_types({}, types));
    const double moved = mean_difference(model, engine.generate(some_prompts(37), short_params(4, 20), {.seed = 5}));
    const double bound = types.compute == ComputeDType::kInt8 ? 0.1 : 0.03;
    const bool exact = with_types({}, types).exact();
    EXPECT_LE(moved, exact ? 2e-5 : bound);
    EXPECT_GE(moved, exact ? 0.0 : 1e-4);
  }
}

// Oracle: the double-precision forward with the LoRA beside its layers. Were one left out, or folded in twice, log-probs would move by
// more than 1.
TEST(EngineTypes, LoraIsFoldedInBeforeRounding) {
  ToyModel model(toy_config(), 4);
  for (LayerView& layer : model.view.layers) {
    model.add_lora(layer.qkv, 3, {{0, 60}, {60, 80}, {80, 100}});
    model.add_lora(layer.down, 4);
  }
  for (const Types& types : kTypes) {
    auto engine = engine_of(model, with_types({}, types));
    EXPECT_LE(mean_difference(model, engine.generate(some_prompts(37), short_params(2, 10), {})), 0.2);
  }
}

TEST(EngineTypes, WeightsThatAreNotFiniteAreAnError) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    ToyModel model(toy_config(), 3);
    static_cast<float*>(const_cast<void*>(model.view.layers[1].down.weight))[0] = bad;
    for (const Types& types : kTypes) {
      auto engine = engine_of(model, with_types({}, types));
      EXPECT_NE(error_of(engine, some_prompts(37), short_params()).find("finite"), std::string::npos);
    }
  }
}

TEST(EngineTypes, CachesInBfloat16TakeHalfTheBudget) {
  ToyModel model(toy_config(), 3);
  const auto least = [&](KvDType kv) {  // bytes that hold one sequence
    for (int64_t bytes = 1024;; bytes += 256) {
      auto engine = engine_of(model, {.kv_budget_bytes = bytes, .kv_dtype = kv});
      if (error_of(engine, some_prompts(37), short_params(1, 2)).empty()) return bytes;
    }
  };
  EXPECT_NEAR(static_cast<double>(least(KvDType::kBFloat16)) / static_cast<double>(least(KvDType::kFloat32)), 0.5, 0.02);
}

// Weights of more than 64 MiB in every type are split over threads by outputs. Property: neither threads nor slots leave a trace. Oracle
// for fp32: the double-precision forward.
TEST(EngineTypes, LargeModelsDoNotDependOnThreadsEither) {
  ModelConfig config = toy_config();
  config.vocab_size = 70016;
  config.hidden_size = 960;
  config.tie_word_embeddings = true;
  ToyModel model(config, 6, 0.05F);
  std::vector<Prompt> prompts = {{.problem = 1, .ids = {5, 60000, 7, 9}}, {.problem = 2, .ids = {12}}};
  for (const ComputeDType compute : {ComputeDType::kFloat32, ComputeDType::kBFloat16, ComputeDType::kInt8}) {
    SCOPED_TRACE(::testing::Message() << "compute " << static_cast<int>(compute));
    const SamplingParams params = short_params(3, 4);
    auto one = engine_of(model, {.max_slots = 1, .threads = 1, .compute_dtype = compute});
    const auto expected = one.generate(prompts, params, {.seed = 3});
    one.release();
    auto many = engine_of(model, {.max_slots = 5, .prefill_tokens = 2, .threads = 3, .compute_dtype = compute});
    for (uint64_t repeat = 0; repeat < 3; ++repeat) expect_equal(many.generate(prompts, params, {.seed = 3}), expected);
    if (compute == ComputeDType::kFloat32) {
      EXPECT_LE(mean_difference(model, {expected[0], expected[5]}), 1e-4);
    }
  }
}

}  // namespace
}  // namespace grpo
