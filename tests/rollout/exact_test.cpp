// Oracle: the decode engine. In exact mode the training forward gives the log-probs that it recorded, to the last bit.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"
#include "support/checkpoints.h"
#include "support/packed.h"
#include "toy_model.h"

namespace grpo {
namespace {

/// The rollouts of each problem as one group, its prompt once; the log-probs recorded for the pairs, in the same order.
std::pair<PackedTokens, std::vector<float>> pack_groups(const std::vector<Rollout>& rollouts) {
  std::map<int64_t, std::vector<const Rollout*>> groups;
  for (const Rollout& rollout : rollouts) groups[rollout.group].push_back(&rollout);
  std::pair<PackedTokens, std::vector<float>> packed;
  for (const auto& [group, members] : groups) {
    std::vector<std::vector<int32_t>> completions;
    for (const Rollout* rollout : members) {
      completions.push_back(rollout->ids);
      packed.second.insert(packed.second.end(), rollout->logprobs.begin(), rollout->logprobs.end());
    }
    packed.first = testing::pack_group(members.front()->prompt_ids, completions, std::move(packed.first));
  }
  return packed;
}

/// Samples in few slots, so that prompts and completions are computed in batches of all sizes, and scores them together.
void expect_equal_bits(Transformer& model, uint64_t seed) {
  RolloutEngine engine(model, {.max_slots = 3});
  SamplingParams params;
  params.num_generations = 4;
  params.max_completion_length = 40;
  params.temperature = 0.9;
  const std::vector<Prompt> prompts = {{.problem = 0, .ids = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}}, {.problem = 1, .ids = {44}}};
  const auto [batch, expected] = pack_groups(engine.generate(prompts, params, {.seed = seed}));
  model.set_compute({.exact = true});
  const at::Tensor got = model.logprobs(batch, {.temperature = 0.9, .entropy = true}).logprobs.detach();
  ASSERT_EQ(got.numel(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(got.data_ptr<float>()[i], expected[i]) << "pair " << i;
  at::Tensor trained;
  model.forward_backward(batch,
                         [&](const TokenOutputs& out) {
                           trained = out.logprobs.detach().clone();
                           return out.logprobs.sum();
                         },
                         {.temperature = 0.9});
  EXPECT_TRUE(trained.equal(got));
}

TEST(ParityExact, TrainingLogprobsAreTheSamplers) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  const unsigned seed = std::random_device{}();
  for (const auto& path : testing::checkpoints()) {
    SCOPED_TRACE(::testing::Message() << path.filename() << " seed " << seed);
    expect_equal_bits(*load_model(path), seed);
  }
}

TEST(Exact, HoldsForAVocabularyOfSeveralBlocksAndBeyondTheTokenizer) {
  ModelConfig config = testing::toy_config();
  config.vocab_size = 1337;
  Transformer model(config, at::kFloat, at::kCPU);
  init_weights(model, 5);
  model.set_vocab_limit(1301);
  expect_equal_bits(model, std::random_device{}());
}

}  // namespace
}  // namespace grpo
