#include "grpo/reward/score.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "grpo/data/strings.h"
#include "grpo/data/weighted_sum.h"

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

}  // namespace

void RewardSet::add(std::string name, std::unique_ptr<Reward> reward, double weight) {
  if (!std::isfinite(weight)) fail_usage("reward " + name, "expected a finite weight; got " + std::to_string(weight));
  names.push_back(std::move(name));
  weights.push_back(weight);
  rewards.push_back(std::move(reward));
}

size_t judging_function(const std::vector<std::string>& names, const std::string& wanted) {
  const auto found = std::ranges::find(names, wanted.empty() ? "accuracy" : wanted);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  if (!wanted.empty()) fail_usage("reward", "expected a function called '" + wanted + "'; got none" + did_you_mean(wanted, names));
  return 0;
}

std::vector<Verdict> score_all(RewardSet& set, std::span<const Completion> batch, RewardContext& context, ThreadPool* pool) {
  const size_t functions = set.rewards.size();
  GRPO_CHECK(set.names.size() == functions && set.weights.size() == functions, "score_all", "expected a name and a weight for each reward");
  std::vector<std::vector<Score>> by_function(functions);
  RewardContext fresh = context;
  fresh.metrics.clear();
  std::vector<RewardContext> contexts(functions, fresh);
  const auto score_function = [&](int64_t index) {
    const auto f = static_cast<size_t>(index);
    by_function[f] = score_one(set.names[f], *set.rewards[f], batch, contexts[f]);
  };
  if (pool != nullptr) {
    pool->parallel_for(static_cast<int64_t>(functions), score_function);
  } else {
    for (size_t f = 0; f < functions; ++f) score_function(static_cast<int64_t>(f));
  }

  for (const RewardContext& one : contexts) merge_metrics(one, context);
  std::vector<Verdict> verdicts(batch.size());
  std::vector<double> values(functions);
  for (size_t i = 0; i < batch.size(); ++i) {
    for (size_t f = 0; f < functions; ++f) {
      values[f] = by_function[f][i].value;
      verdicts[i].scores.push_back(std::move(by_function[f][i]));
    }
    verdicts[i].reward = weighted_sum(values, set.weights);
  }
  return verdicts;
}

}  // namespace grpo
