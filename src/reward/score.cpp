#include "grpo/reward/score.h"

#include <cmath>
#include <optional>

#include "grpo/core/error.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

/// The message of what `reward` throws on `batch`, if it does.
std::optional<std::string> try_score(Reward& reward, std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) {
  try {
    reward.score(batch, scores, context);
    return std::nullopt;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

[[noreturn]] void fail_on(const std::string& name, const Completion& completion, const std::string& message) {
  fail("reward " + name, message + " on the sample '" + clip_text(completion.text, 120) + "'");
}

/// Finds the sample behind `message`, which the whole batch threw; the first one stands in where no single sample throws.
[[noreturn]] void fail_on_culprit(const std::string& name, Reward& reward, std::span<const Completion> batch, std::string message,
                                  RewardContext context) {
  for (const Completion& completion : batch) {
    Score score;
    if (const auto found = try_score(reward, {&completion, 1}, {&score, 1}, context))
      fail_on(name, completion, "expected a score; got " + *found);
  }
  fail_on(name, batch.front(), "expected scores for a batch of " + std::to_string(batch.size()) + "; got " + message + ", first seen");
}

void check_steps(const std::string& name, const Completion& completion, const std::vector<StepScore>& steps) {
  size_t last = 1;
  for (const StepScore& step : steps) {
    if (step.end < last || step.end > completion.text.size()) {
      fail_on(name, completion,
              "expected steps in the order of their ends, each within the " + std::to_string(completion.text.size()) +
                  " bytes of the text; got an end at " + std::to_string(step.end));
    }
    if (!std::isfinite(step.value)) fail_on(name, completion, "expected finite scores of steps; got " + std::to_string(step.value));
    last = step.end;
  }
}

std::vector<Score> score_one(const std::string& name, Reward& reward, std::span<const Completion> batch, RewardContext& context) {
  std::vector<Score> scores(batch.size());
  if (batch.empty()) return scores;
  if (const auto message = try_score(reward, batch, scores, context)) fail_on_culprit(name, reward, batch, *message, context);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isinf(scores[i].value)) fail_on(name, batch[i], "expected a finite score or NaN; got an infinity");
    check_steps(name, batch[i], scores[i].steps);
  }
  return scores;
}

void merge_metrics(const RewardContext& from, RewardContext& into) {
  for (const auto& [name, entry] : from.metrics) {
    into.metrics[name].first += entry.first;
    into.metrics[name].second += entry.second;
  }
}

std::vector<double> weighted_sums(const RewardSet& set, const std::vector<std::vector<double>>& per_function, size_t samples) {
  std::vector<double> sums(samples, std::nan(""));
  for (size_t f = 0; f < per_function.size(); ++f) {
    for (size_t i = 0; i < samples; ++i) {
      const double value = per_function[f][i];
      if (std::isnan(value)) continue;
      sums[i] = (std::isnan(sums[i]) ? 0.0 : sums[i]) + set.weights[f] * value;
    }
  }
  return sums;
}

}  // namespace

void RewardSet::add(std::string name, std::unique_ptr<Reward> reward, double weight) {
  if (!std::isfinite(weight)) fail_usage("reward " + name, "expected a finite weight; got " + std::to_string(weight));
  names.push_back(std::move(name));
  weights.push_back(weight);
  rewards.push_back(std::move(reward));
}

ScoredBatch score_all(RewardSet& set, std::span<const Completion> batch, RewardContext& context, ThreadPool* pool) {
  const size_t functions = set.rewards.size();
  GRPO_CHECK(set.names.size() == functions && set.weights.size() == functions, "score_all", "expected a name and a weight for each reward");
  std::vector<std::vector<Score>> verdicts(functions);
  RewardContext fresh = context;
  fresh.metrics.clear();
  std::vector<RewardContext> contexts(functions, fresh);
  const auto score_function = [&](int64_t index) {
    const auto f = static_cast<size_t>(index);
    verdicts[f] = score_one(set.names[f], *set.rewards[f], batch, contexts[f]);
  };
  if (pool != nullptr) {
    pool->parallel_for(static_cast<int64_t>(functions), score_function);
  } else {
    for (size_t f = 0; f < functions; ++f) score_function(static_cast<int64_t>(f));
  }

  ScoredBatch scored;
  for (size_t f = 0; f < functions; ++f) {
    merge_metrics(contexts[f], context);
    auto& values = scored.per_function.emplace_back();
    auto& reasons = scored.reasons.emplace_back();
    auto& steps = scored.steps.emplace_back();
    for (Score& score : verdicts[f]) {
      values.push_back(score.value);
      reasons.push_back(std::move(score.reason));
      steps.push_back(std::move(score.steps));
    }
  }
  scored.rewards = weighted_sums(set, scored.per_function, batch.size());
  return scored;
}

}  // namespace grpo
