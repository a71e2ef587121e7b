#pragma once

#include <vector>

#include "grpo/algorithm/tally.h"
#include "grpo/dist/communicator.h"
#include "grpo/reward/score.h"
#include "grpo/trainer/evaluation.h"

namespace grpo {

/// The prompts of the problems of `share`. One that comes twice in `problems` gets randomness of its own.
std::vector<Prompt> prompts_of(const Policy& policy, const std::vector<const Problem*>& problems, const Share& share,
                               const PromptOptions& options);

/// As engine.generate, with what it needs of the policy: the id that ends a completion, the tokenizer.
std::vector<Rollout> generate(const Policy& policy, RolloutEngine& engine, const std::vector<Prompt>& prompts, const SamplingParams& params,
                              const RolloutKey& key, const GenerateContext& context = {});

/// Rollouts with their texts; `group` says which of `problems` one answers.
SampledBatch with_texts(const Policy& policy, const std::vector<const Problem*>& problems, const PromptOptions& prompt,
                        std::vector<Rollout> rollouts);

/// As `sample`, but of the problems of `share` alone; groups keep their numbers in `problems`, and samples are those that `sample` would
/// give.
SampledBatch sample_share(const Policy& policy, RolloutEngine& engine, const std::vector<const Problem*>& problems, const Share& share,
                          const PromptOptions& prompt, const SamplingParams& params, const RolloutKey& key,
                          const GenerateContext& context = {});

/// From each rank's samples, verdicts and reward metrics to those of all ranks, in the order of ranks: equal on all of them. Where ranks
/// have consecutive shares of `problems`, that is the order of problems.
void gather(Communicator& communicator, const std::vector<const Problem*>& problems, SampledBatch& sampled, ScoredBatch& scores,
            RewardContext& context);

/// The rollouts of all ranks, in the order of ranks.
void gather(Communicator& communicator, std::vector<Rollout>& rollouts);

/// Merges the tallies of all ranks, on each of them.
void gather(Communicator& communicator, Tallies& tallies);

/// All ranks' values, one rank's after the other's. Shape: [any] → [sum of them]; Dtype: float32, on the CPU.
at::Tensor gather(Communicator& communicator, const at::Tensor& values);

}  // namespace grpo
