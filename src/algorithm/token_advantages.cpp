#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "grpo/algorithm/advantages.h"
#include "grpo/core/error.h"
#include "host_tokens.h"
#include "reward_scores.h"

namespace grpo {
namespace {

constexpr auto kTokenAdvantagesWhere = "estimate_advantages";

/// r + Σ_s k_s of each completion.
Values totals_of(const Scores& scores, const HostTokens& tokens, const Values& token_rewards, const AdvantageConfig& config) {
  return plus(clipped(scores.total, config), tokens.sums(token_rewards));
}

Values reinforce_plus_plus(const Scores& scores, const HostTokens& tokens, const Values& token_rewards, const AdvantageConfig& config) {
  return tokens.whitened(plus(tokens.to_go(token_rewards), tokens.spread(clipped(scores.total, config))));
}

Values reinforce_plus_plus_baseline(const Scores& scores, const HostTokens& tokens, const Values& token_rewards,
                                    const AdvantageConfig& config) {
  const Values totals = totals_of(scores, tokens, token_rewards, config);
  Values white = tokens.whitened(tokens.spread(outcome_advantages(scores, totals, config)));
  Values compared(scores.all.size(), 0.0);  // whitening subtracts a mean: no reason to move those that there is nothing to compare with
  for (const Rows& group : scores.groups) {
    const bool varied = moments(totals, group).varied;
    for (const size_t row : group) compared[row] = varied ? 1.0 : 0.0;
  }
  for (size_t t = 0; t < tokens.size(); ++t) white[t] *= compared[tokens.sample_of[t]];
  return white;
}

Values remax(const Scores& scores, const Values& greedy_rewards, const HostTokens& tokens, const Values& token_rewards,
             const AdvantageConfig& config) {
  GRPO_CHECK(greedy_rewards.size() == scores.all.size(), kTokenAdvantagesWhere,
             "expected the greedy completion's reward for each of " + std::to_string(scores.all.size()) +
                 " completions, as remax needs; got " + std::to_string(greedy_rewards.size()));
  Values advantages = clipped(scores.total, config);
  const Values baseline = clipped(greedy_rewards, config);
  for (const size_t row : scores.all) {
    const double reward = advantages[row];
    advantages[row] = std::isnan(reward) || std::isnan(baseline[row]) ? kNan : differ(reward, baseline[row]) ? reward - baseline[row] : 0.0;
  }
  return plus(tokens.to_go(token_rewards), tokens.spread(advantages));
}

Values process_supervision(const Values& steps, const std::vector<int64_t>& group_of, const HostTokens& tokens,
                           const AdvantageConfig& config) {
  std::vector<int64_t> group_of_token;
  for (const size_t sample : tokens.sample_of) group_of_token.push_back(group_of[sample]);
  const double batch_std = moments(steps, all_rows(steps.size())).std;
  Values normalized = center(steps, rows_by_group(group_of_token), [&](const Moments& group) {
    if (config.scale_rewards == ScaleRewards::kNone) return 1.0;
    return (config.scale_rewards == ScaleRewards::kGroup ? group.std : batch_std) + kScaleEpsilon;
  });
  std::ranges::replace_if(
      normalized, [](double value) { return std::isnan(value); }, 0.0);
  return tokens.to_go(normalized);
}

Values token_advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) {
  const HostTokens tokens(batch);
  const Values token_rewards = tokens.kept(tokens.numbers(signals.token_rewards, kTokenAdvantagesWhere, "token rewards", true));
  if (config.advantage_estimator == AdvantageEstimator::kProcessSupervision) {
    GRPO_CHECK(!signals.token_rewards.defined(), kTokenAdvantagesWhere, "expected no token rewards with process_supervision; got some");
    return process_supervision(tokens.numbers(signals.step_rewards, kTokenAdvantagesWhere, "step rewards, as process_supervision needs,"),
                               batch.groups, tokens, config);
  }
  const Scores scores(signals.rewards, batch.groups, config);
  switch (config.advantage_estimator) {
    case AdvantageEstimator::kReinforcePlusPlus:
      return reinforce_plus_plus(scores, tokens, token_rewards, config);
    case AdvantageEstimator::kReinforcePlusPlusBaseline:
      return reinforce_plus_plus_baseline(scores, tokens, token_rewards, config);
    case AdvantageEstimator::kRemax:
      return remax(scores, to_values(signals.greedy_rewards), tokens, token_rewards, config);
    default:
      GRPO_CHECK(!signals.token_rewards.defined() || config.multi_objective_aggregation == RewardAggregation::kSumThenNormalize,
                 kTokenAdvantagesWhere,
                 "expected no token rewards with normalize_then_sum, which normalises each function by itself; got some");
      return tokens.spread(outcome_advantages(scores, totals_of(scores, tokens, token_rewards, config), config));
  }
}

}  // namespace

at::Tensor estimate_advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) try {
  validate(config);
  return defined_or_zero(token_advantages(signals, batch, config));
} catch (...) {
  rethrow_as_error("estimate_advantages");
}

}  // namespace grpo
