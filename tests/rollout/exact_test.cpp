// Oracle: the decode engine. In exact mode the training forward gives the log-probs that it recorded, to the last bit.
#include <gtest/gtest.h>

#include <random>

#include "rollout/exact_support.h"
#include "rollout/toy_model.h"
#include "support/checkpoints.h"

namespace grpo {
namespace {

TEST(ParityExact, TrainingLogprobsAreTheSamplers) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  const unsigned seed = std::random_device{}();
  for (const auto& path : testing::checkpoints()) {
    SCOPED_TRACE(::testing::Message() << path.filename() << " seed " << seed);
    testing::expect_equal_bits(*load_model(path), {.seed = seed});
  }
}

TEST(Exact, HoldsForAVocabularyOfSeveralBlocksAndBeyondTheTokenizer) {
  ModelConfig config = testing::toy_config();
  config.vocab_size = 1337;
  Transformer model(config, at::kFloat, at::kCPU);
  init_weights(model, 5);
  model.set_vocab_limit(1301);
  testing::expect_equal_bits(model, {.seed = std::random_device{}()});
}

TEST(Exact, RefusesASamplerThatRounds) {
  Transformer model(testing::toy_config(), at::kFloat, at::kCPU);
  init_weights(model, 5);
  model.set_compute({.exact = true});
  EXPECT_THROW(RolloutEngine(model, {.compute_dtype = ComputeDType::kInt8}), Error);
  EXPECT_THROW(RolloutEngine(model, {.kv_dtype = KvDType::kBFloat16}), Error);
  EXPECT_NO_THROW(RolloutEngine(model, {}));
}

}  // namespace
}  // namespace grpo
