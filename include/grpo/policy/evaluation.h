#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "grpo/core/metrics.h"
#include "grpo/data/prompt.h"
#include "grpo/data/types.h"
#include "grpo/policy/policy.h"
#include "grpo/reward/score.h"
#include "grpo/rollout/engine.h"

namespace grpo {

class Communicator;

/// pass@k = 1 − C(n−c, k) / C(n, k), in its stable product form (Chen et al., "Evaluating large language models trained on code", 2021).
double pass_at_k(int64_t samples, int64_t correct, int64_t k);

struct EvaluationOptions {
  SamplingParams sampling;
  PromptOptions prompt;
  uint64_t seed = 1234;
  /// One JSON line per sample, for whoever wants to look.
  std::function<void(const std::string&)> on_sample;
  GenerateContext context;
  /// Of several ranks that evaluate together, each on a share of the problems; all get the figures of all.
  std::shared_ptr<Communicator> communicator = nullptr;
};

/// Means over all samples of each reward function under its name; with a function called accuracy (or else for the first function),
/// `pass@1` (= avg@k) and, if several samples were drawn, `pass@k`; `mean_length`, `clipped_ratio`, `samples`.
Metrics evaluate(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, RewardSet& rewards,
                 const EvaluationOptions& options);

}  // namespace grpo
