#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/threads.h"
#include "grpo/reward/reward.h"

namespace grpo {
struct RewardHistory;  // not public
}  // namespace grpo

namespace GRPO_API grpo {

/// What happens if a function throws on a sample, gives an infinity or bad steps, or does not come back in time.
enum class OnRewardError {
  kStop,       // `score_all` throws
  kUndefined,  // the sample gets no verdict from this function, with the reason in `Score::reason`
};

inline constexpr double kLongestTimeout = 1e9;  // seconds; far below what the clock can count

/// How one function of a set is called.
struct RewardRules {
  double timeout = 0.0;  // seconds for a batch; 0: none
  OnRewardError on_error = OnRewardError::kStop;
};

/// Reward functions with their weights in the sum; the lists are parallel, and `add` keeps them so.
struct RewardSet {
  std::vector<std::string> names;
  std::vector<double> weights;
  std::vector<std::shared_ptr<Reward>> rewards;  // shared with a call that was left behind
  std::vector<RewardRules> rules;
  std::vector<std::shared_ptr<RewardHistory>> histories;  // what `score_all` remembers of earlier calls

  void add(std::string name, std::shared_ptr<Reward> reward, double weight = 1.0, RewardRules how = {});
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
/// own; metrics are merged in the set's order). If a function throws, gives an infinity, or steps that are not finite, not in order or not
/// within the text, its `on_error` says what happens: `Error` names the function and the beginning of a sample's text, or the sample gets
/// no verdict. A function that threw is asked again, sample by sample, to find the samples.
///
/// A function with a timeout, and each function if a pool is given, runs on a thread of its own, and the log says once it takes long. It is
/// no longer awaited after its timeout (a fault of the whole batch, see `on_error`) or some seconds after `interrupt_requested()` (always
/// `Error`). Its thread is then left behind, with the reward and copies of the completions, and the function is not called again before it
/// has come back. Without both, a function runs on the caller's thread and is awaited for ever.
std::vector<Verdict> score_all(RewardSet& set, std::span<const Completion> batch, RewardContext& context, ThreadPool* pool = nullptr);

}  // namespace grpo
