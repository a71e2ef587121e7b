#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/metrics.h"
#include "grpo/data/prompt.h"
#include "grpo/data/types.h"
#include "grpo/policy/policy.h"
#include "grpo/reward/score.h"
#include "grpo/reward/verdicts.h"
#include "grpo/rollout/engine.h"

namespace GRPO_API grpo {

class Communicator;

/// pass@k = 1 − C(n−c, k) / C(n, k), in its stable product form (Chen et al., "Evaluating large language models trained on code", 2021).
double pass_at_k(int64_t samples, int64_t correct, int64_t k);

struct EvaluationOptions {
  SamplingParams sampling;
  PromptOptions prompt;
  uint64_t seed = 1234;
  /// One JSON line per sample, for whoever wants to look: problem after problem, as soon as their block is finished.
  std::function<void(const std::string&)> on_sample;
  GenerateContext context;
  /// Of several ranks that evaluate together, each on a share of the problems; all get the figures of all.
  std::shared_ptr<Communicator> communicator = nullptr;
  /// Samples of a block, on each rank: what is lost if an evaluation is cut short. So many keep the engine busy. No figure depends on it,
  /// unless a reward looks at a whole batch.
  int64_t block_samples = 256;
};

/// An evaluation that goes on block by block and may begin behind what an earlier one has sampled. Samples depend on their problem's place
/// in the data, not on blocks.
class Evaluation {
 public:
  /// Encodes all prompts. Keeps references to what it is given.
  Evaluation(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, RewardSet& rewards,
             EvaluationOptions options);
  ~Evaluation();
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

  /// Counts samples of an earlier evaluation, given by the lines that `on_sample` had, before the first block: those of the first problems
  /// that have all their samples. Returns how many lines those are. Throws `Error` that names file:line for a line that is no such sample.
  size_t take_earlier(const std::vector<std::string>& lines, const std::string& file);
  /// Samples and scores the next block; false if there is none left. Every rank calls it equally often. If it throws, what was finished
  /// before counts.
  bool next();

  int64_t problems_finished() const;
  /// Of the finished problems: see `evaluate`. A mean of nothing is NaN.
  Metrics figures() const;
  /// Their verdicts by kind, function by function.
  std::vector<std::pair<std::string, KindCounts>> verdicts() const;
  /// Rejected answers that look like the right one, among the samples that this evaluation made itself; all their steps are 0.
  const std::vector<NearMiss>& near_misses() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Means over all samples of each reward function under its name; with a function called accuracy (or else for the first function),
/// `pass@1` (= avg@k) and, if several samples were drawn, `pass@k`; `mean_length`, `clipped_ratio`, `samples`.
Metrics evaluate(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, RewardSet& rewards,
                 const EvaluationOptions& options);

}  // namespace grpo
