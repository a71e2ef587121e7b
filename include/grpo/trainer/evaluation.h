#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grpo/data/prompt.h"
#include "grpo/data/types.h"
#include "grpo/reward/score.h"
#include "grpo/rollout/engine.h"
#include "grpo/trainer/policy.h"

namespace grpo {

class Communicator;

/// Rollouts of several problems with what rewards need of them: completions[i] belongs to rollouts[i].
struct SampledBatch {
  std::vector<Rollout> rollouts;
  std::vector<Completion> completions;  // point into the caller's problems
  std::vector<double> greedy_rewards;   // by rollout: of the greedy completion of its problem; empty unless an estimator asks for them
  /// By rollout and id, NaN where no step ends; empty likewise.
  std::vector<std::vector<double>> step_rewards = {};
};

/// Samples params.num_generations completions of each problem, groups numbered in the order of `problems`.
SampledBatch sample(const Policy& policy, RolloutEngine& engine, const std::vector<const Problem*>& problems, const PromptOptions& prompt,
                    const SamplingParams& params, const RolloutKey& key, const GenerateContext& context = {});

/// pass@k = 1 − C(n−c, k) / C(n, k), in its stable product form (Chen et al., "Evaluating large language models trained on code", 2021).
double pass_at_k(int64_t samples, int64_t correct, int64_t k);

struct EvaluationOptions {
  SamplingParams sampling;
  PromptOptions prompt;
  uint64_t seed = 1234;
  /// One JSON line per sample, for whoever wants to look.
  std::function<void(const std::string&)> on_sample;
  GenerateContext context;
  /// Where several ranks evaluate together, each on a share of the problems; all get the figures of all.
  std::shared_ptr<Communicator> communicator = nullptr;
};

/// Means over all samples of each reward function under its name; with a function called accuracy (or else for the first function),
/// `pass@1` (= avg@k) and, where several samples were drawn, `pass@k`; `mean_length`, `clipped_ratio`, `samples`.
std::map<std::string, double> evaluate(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems,
                                       RewardSet& rewards, const EvaluationOptions& options);

}  // namespace grpo
