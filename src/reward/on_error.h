#pragma once

#include <span>
#include <string>
#include <vector>

#include "grpo/reward/score.h"

namespace grpo {

/// What one function says of a batch.
struct Judgement {
  std::vector<Score> scores;
  std::string fault;  // the first one that took a verdict away; empty if there was none
};

/// The verdicts of `reward`, called `name`, on `batch`. A fault throws `Error` or takes the sample's verdict away, as `on_error` says.
/// After the context's deadline no sample is asked again.
Judgement judge(const std::string& name, Reward& reward, std::span<const Completion> batch, RewardContext& context, OnRewardError on_error);

/// The same if the function gave nothing at all, because of `message`.
Judgement without_verdicts(const std::string& name, size_t samples, const std::string& message, OnRewardError on_error);

/// Adds what one call logged to `into`.
void merge_metrics(const RewardContext& from, RewardContext& into);

}  // namespace grpo
