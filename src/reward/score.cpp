#include "grpo/reward/score.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/core/nearest.h"
#include "grpo/data/weighted_sum.h"
#include "reward/on_error.h"
#include "reward/timeout.h"

namespace grpo {
namespace {

bool has_own_thread(const RewardRules& rules, const ThreadPool* pool) { return rules.timeout > 0.0 || pool != nullptr; }

/// The verdicts of function `f`; `owned` holds the batch for a thread of its own.
Judgement judge_by(const RewardSet& set, size_t f, std::span<const Completion> batch, const std::shared_ptr<const OwnedBatch>& owned,
                   RewardContext& context, const ThreadPool* pool) {
  const RewardRules& rules = set.rules[f];
  if (still_runs(*set.histories[f]))
    return without_verdicts(set.names[f], batch.size(), "expected verdicts; the function is still busy with an earlier batch",
                            rules.on_error);
  return has_own_thread(rules, pool) ? judge_on_own_thread(set, f, owned, context)
                                     : judge(set.names[f], *set.rewards[f], batch, context, rules.on_error);
}

/// Tells of the first sample that lost a function's verdict.
void warn_once(RewardHistory& history, const std::string& fault) {
  if (fault.empty() || std::exchange(history.warned, true)) return;
  log_warn(fault + ": no verdict, since on_error is «undefined»; further ones are only counted");
}

}  // namespace

void RewardSet::add(std::string name, std::shared_ptr<Reward> reward, double weight, RewardRules how) {
  if (!std::isfinite(weight)) fail_usage("reward " + name, "expected a finite weight; got " + std::to_string(weight));
  if (!(how.timeout >= 0.0 && how.timeout <= kLongestTimeout))
    fail_usage("reward " + name, "expected a timeout of 0 to 1e9 seconds; got " + std::to_string(how.timeout));
  names.push_back(std::move(name));
  weights.push_back(weight);
  rewards.push_back(std::move(reward));
  rules.push_back(how);
  histories.push_back(std::make_shared<RewardHistory>());
}

size_t judging_function(const std::vector<std::string>& names, const std::string& wanted) {
  const auto found = std::ranges::find(names, wanted.empty() ? "accuracy" : wanted);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  if (!wanted.empty()) fail_usage("reward", "expected a function called '" + wanted + "'; got none" + did_you_mean(wanted, names));
  return 0;
}

std::vector<Verdict> score_all(RewardSet& set, std::span<const Completion> batch, RewardContext& context, ThreadPool* pool) {
  const size_t functions = set.rewards.size();
  GRPO_CHECK(set.names.size() == functions && set.weights.size() == functions && set.rules.size() == functions &&
                 set.histories.size() == functions,
             "score_all", "expected a set whose lists are of equal length");
  if (batch.empty()) return {};
  const bool owns = std::ranges::any_of(set.rules, [pool](const RewardRules& rules) { return has_own_thread(rules, pool); });
  const auto owned = owns ? std::make_shared<const OwnedBatch>(batch) : nullptr;
  std::vector<Judgement> by_function(functions);
  RewardContext fresh = context;
  fresh.metrics.clear();
  std::vector<RewardContext> contexts(functions, fresh);
  const auto score_function = [&](int64_t index) {
    const auto f = static_cast<size_t>(index);
    by_function[f] = judge_by(set, f, batch, owned, contexts[f], pool);
  };
  if (pool != nullptr) {
    pool->parallel_for(static_cast<int64_t>(functions), score_function);
  } else {
    for (size_t f = 0; f < functions; ++f) score_function(static_cast<int64_t>(f));
  }

  for (const RewardContext& one : contexts) merge_metrics(one, context);
  for (size_t f = 0; f < functions; ++f) warn_once(*set.histories[f], by_function[f].fault);
  std::vector<Verdict> verdicts(batch.size());
  std::vector<double> values(functions);
  for (size_t i = 0; i < batch.size(); ++i) {
    for (size_t f = 0; f < functions; ++f) {
      Score& score = by_function[f].scores[i];
      values[f] = score.value;
      verdicts[i].scores.push_back(std::move(score));
    }
    verdicts[i].reward = weighted_sum(values, set.weights);
  }
  return verdicts;
}

}  // namespace grpo
