#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "grpo/core/threads.h"
#include "grpo/reward/reward.h"

namespace grpo {

/// Reward functions with their weights in the sum; the three lists are parallel.
struct RewardSet {
  std::vector<std::string> names;
  std::vector<double> weights;
  std::vector<std::unique_ptr<Reward>> rewards;

  void add(std::string name, std::unique_ptr<Reward> reward, double weight = 1.0);
};

/// Verdicts on S samples by F functions.
struct ScoredBatch {
  std::vector<std::vector<double>> per_function;  // [F][S]; NaN where undefined
  std::vector<std::vector<std::string>> reasons;  // [F][S]; may be empty texts
  std::vector<double> rewards;                    // [S] weighted sum over the defined ones (TRL's nansum); NaN where none is
  /// [F][S] a sample's steps; none where the function gave none.
  std::vector<std::vector<std::vector<StepScore>>> steps = {};
};

/// Asks every function for its verdicts, the functions in parallel where a pool is given (each gets a context of its own; metrics are
/// merged in the set's order). Throws `Error` naming the function and the beginning of a sample's text where a function throws, gives an
/// infinity, or steps that are not finite, not in order or not within the text; to find the sample, a function that threw is asked again,
/// sample by sample.
ScoredBatch score_all(RewardSet& set, std::span<const Completion> batch, RewardContext& context, ThreadPool* pool = nullptr);

}  // namespace grpo
