#pragma once

#include <vector>

#include "grpo/algorithm/tally.h"
#include "grpo/dist/communicator.h"
#include "grpo/reward/score.h"
#include "grpo/trainer/evaluation.h"

namespace grpo {

/// As `sample`, but of the problems of `share` alone; groups keep their numbers in `problems`, and samples are those that `sample` would
/// give.
SampledBatch sample_share(const Policy& policy, RolloutEngine& engine, const std::vector<const Problem*>& problems, const Share& share,
                          const PromptOptions& prompt, const SamplingParams& params, const RolloutKey& key,
                          const GenerateContext& context = {});

/// From each rank's samples, verdicts and reward metrics to those of all ranks, in the order of ranks: equal on all of them. Where ranks
/// have consecutive shares of `problems`, that is the order of problems.
void gather(Communicator& communicator, const std::vector<const Problem*>& problems, SampledBatch& sampled, ScoredBatch& scores,
            RewardContext& context);

/// Merges the tallies of all ranks, on each of them.
void gather(Communicator& communicator, Tallies& tallies);

/// All ranks' values, one rank's after the other's. Shape: [any] → [sum of them]; Dtype: float32, on the CPU.
at::Tensor gather(Communicator& communicator, const at::Tensor& values);

}  // namespace grpo
