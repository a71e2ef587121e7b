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

/// What the built-in estimators read of a rollout.
struct RolloutRewards {
  RolloutRewards(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config)
      : tokens(batch),
        token_rewards(tokens.kept(tokens.numbers(signals.token_rewards, kTokenAdvantagesWhere, "token rewards", true))),
        scores(signals.rewards, batch.groups, config) {}

  HostTokens tokens;
  Values token_rewards;
  Scores scores;
};

/// group, rloo and pass_at_k: a number for a completion.
class OfCompletions final : public AdvantageEstimator {
  at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const override {
    const RolloutRewards r(signals, batch, config);
    GRPO_CHECK(!signals.token_rewards.defined() || config.multi_objective_aggregation == RewardAggregation::kSumThenNormalize,
               kTokenAdvantagesWhere,
               "expected no token rewards with normalize_then_sum, which normalises each function by itself; got some");
    const Values totals = totals_of(r.scores, r.tokens, r.token_rewards, config);
    return defined_or_zero(r.tokens.spread(outcome_advantages(r.scores, totals, config)));
  }
};

class ReinforcePlusPlus final : public AdvantageEstimator {
  at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const override {
    const RolloutRewards r(signals, batch, config);
    return defined_or_zero(reinforce_plus_plus(r.scores, r.tokens, r.token_rewards, config));
  }
};

class ReinforcePlusPlusBaseline final : public AdvantageEstimator {
  at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const override {
    const RolloutRewards r(signals, batch, config);
    return defined_or_zero(reinforce_plus_plus_baseline(r.scores, r.tokens, r.token_rewards, config));
  }
};

class Remax final : public AdvantageEstimator {
  at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const override {
    const RolloutRewards r(signals, batch, config);
    return defined_or_zero(remax(r.scores, to_values(signals.greedy_rewards), r.tokens, r.token_rewards, config));
  }
  Needs needs() const override { return {.greedy = true}; }
};

class ProcessSupervision final : public AdvantageEstimator {
  at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const override {
    GRPO_CHECK(!signals.token_rewards.defined(), kTokenAdvantagesWhere, "expected no token rewards with process_supervision; got some");
    const HostTokens tokens(batch);
    const Values steps = tokens.numbers(signals.step_rewards, kTokenAdvantagesWhere, "step rewards, as process_supervision needs,");
    return defined_or_zero(process_supervision(steps, batch.groups, tokens, config));
  }
  Needs needs() const override { return {.steps = true}; }
};

}  // namespace

EstimatorRegistry builtin_estimators() {
  EstimatorRegistry registry("advantage estimator");
  for (const char* name : {"group", "rloo", "pass_at_k"}) registry.add<OfCompletions>(name);
  registry.add<ReinforcePlusPlus>("reinforce_plus_plus");
  registry.add<ReinforcePlusPlusBaseline>("reinforce_plus_plus_baseline");
  registry.add<Remax>("remax");
  registry.add<ProcessSupervision>("process_supervision");
  return registry;
}

at::Tensor estimate_advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) try {
  validate(config);
  return builtin_estimators().make(config.advantage_estimator)->advantages(signals, batch, config);
} catch (...) {
  rethrow_as_error("estimate_advantages");
}

}  // namespace grpo
