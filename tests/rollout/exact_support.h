#pragma once

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"
#include "support/packed.h"

namespace grpo::testing {

/// The rollouts of each problem as one group, its prompt once; the log-probs recorded for the pairs, in the same order.
inline std::pair<PackedTokens, std::vector<float>> pack_groups(const std::vector<Rollout>& rollouts) {
  std::map<int64_t, std::vector<const Rollout*>> groups;
  for (const Rollout& rollout : rollouts) groups[rollout.group].push_back(&rollout);
  std::pair<PackedTokens, std::vector<float>> packed;
  for (const auto& [group, members] : groups) {
    std::vector<std::vector<int32_t>> completions;
    for (const Rollout* rollout : members) {
      completions.push_back(rollout->ids);
      packed.second.insert(packed.second.end(), rollout->logprobs.begin(), rollout->logprobs.end());
    }
    packed.first = pack_group(members.front()->prompt_ids, completions, std::move(packed.first));
  }
  return packed;
}

struct ExactCase {
  uint64_t seed = 0;
  double temperature = 0.9;
  int64_t max_completion_length = 40;
};

/// Samples in few slots, so that prompts and completions are computed in batches of all sizes, and scores them together. One prompt is
/// longer than a page of the cache.
inline void expect_equal_bits(Transformer& model, const ExactCase& exact) {
  RolloutEngine engine(model, {.max_slots = 3});
  SamplingParams params;
  params.num_generations = 4;
  params.max_completion_length = exact.max_completion_length;
  params.temperature = exact.temperature;
  std::vector<Prompt> prompts = {{.problem = 0, .ids = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}}, {.problem = 1, .ids = {44}}, {}};
  prompts.back().problem = 2;
  for (int32_t i = 0; i < 70; ++i) prompts.back().ids.push_back(1 + i * 7 % 30);
  const auto [batch, expected] = pack_groups(engine.generate(prompts, params, {.seed = exact.seed}));
  model.set_compute({.exact = true});
  const at::Tensor got = model.logprobs(batch, {.temperature = exact.temperature, .entropy = true}).logprobs.detach();
  ASSERT_EQ(got.numel(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(got.data_ptr<float>()[i], expected[i]) << "pair " << i;
  at::Tensor trained;
  model.forward_backward(batch,
                         [&](const TokenOutputs& out) {
                           trained = out.logprobs.detach().clone();
                           return out.logprobs.sum();
                         },
                         {.temperature = exact.temperature});
  EXPECT_TRUE(trained.equal(got));
}

}  // namespace grpo::testing
