#pragma once

#include <limits>
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

/// The number of the function that tells right from wrong: the one called `wanted`; if that is empty, the one called «accuracy», or else
/// the first. Throws a usage error if no function is called `wanted`.
size_t judging_function(const std::vector<std::string>& names, const std::string& wanted = {});

/// What a set of rewards says of one completion.
struct Verdict {
  std::vector<Score> scores;                                 // by function, in the set's order
  double reward = std::numeric_limits<double>::quiet_NaN();  // `weighted_sum` of the scores (TRL's nansum)
};

/// Asks every function for its verdicts on all completions; the functions work in parallel if a pool is given (each gets a context of its
/// own; metrics are merged in the set's order). Throws `Error` naming the function and the beginning of a sample's text where a function
/// throws, gives an infinity, or steps that are not finite, not in order or not within the text; to find the sample, a function that threw
/// is asked again, sample by sample.
std::vector<Verdict> score_all(RewardSet& set, std::span<const Completion> batch, RewardContext& context, ThreadPool* pool = nullptr);

}  // namespace grpo
