#include "reward/on_error.h"

#include <chrono>
#include <cmath>
#include <optional>

#include "grpo/core/error.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

/// The message of what `reward` throws on `batch`, if it does; its metrics count only if it does not.
std::optional<std::string> try_score(Reward& reward, std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) {
  RewardContext attempt = context;
  attempt.metrics.clear();
  try {
    reward.score(batch, scores, attempt);
  } catch (...) {
    return caught_text();
  }
  merge_metrics(attempt, context);
  return std::nullopt;
}

std::optional<std::string> fault_of(const Score& score, const Completion& completion) {
  if (std::isinf(score.value)) return "expected a finite score or NaN; got an infinity";
  size_t last = 1;
  for (const StepScore& step : score.steps) {
    if (step.end < last || step.end > completion.text.size()) {
      return "expected steps in the order of their ends, each within the " + std::to_string(completion.text.size()) +
             " bytes of the text; got an end at " + std::to_string(step.end);
    }
    if (!std::isfinite(step.value)) return "expected finite scores of steps; got " + std::to_string(step.value);
    last = step.end;
  }
  return std::nullopt;
}

/// One call of `judge`.
class Judge {
 public:
  Judge(const std::string& name, std::span<const Completion> batch, OnRewardError on_error)
      : name_(name), batch_(batch), on_error_(on_error), result_{std::vector<Score>(batch.size()), {}} {}

  Judgement ask(Reward& reward, RewardContext& context) {
    if (batch_.empty()) return {};
    if (const auto message = try_score(reward, batch_, result_.scores, context)) ask_each(reward, context, *message);
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (const auto fault = fault_of(result_.scores[i], batch_[i])) blame(i, *fault);
    }
    return std::move(result_);
  }

 private:
  void blame(size_t sample, const std::string& fault) {
    const std::string where = "reward " + name_, message = fault + " on the sample '" + clip_text(batch_[sample].text, 120) + "'";
    if (on_error_ == OnRewardError::kStop) fail(where, message);
    if (result_.fault.empty()) result_.fault = "[" + where + "] " + message;
    result_.scores[sample] = Score::undefined(fault);
  }

  /// Finds the samples behind `message`, which the whole batch threw. If the run is to stop and no single sample throws, the first one
  /// stands in.
  void ask_each(Reward& reward, RewardContext& context, const std::string& message) {
    const std::string whole = "expected scores for a batch of " + std::to_string(batch_.size()) + "; got " + message;
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (std::chrono::steady_clock::now() >= context.deadline) {
        blame(i, whole + ", and no time was left to ask for each sample");
        continue;
      }
      result_.scores[i] = {};
      if (const auto fault = try_score(reward, {&batch_[i], 1}, {&result_.scores[i], 1}, context))
        blame(i, "expected a score; got " + *fault);
    }
    if (on_error_ == OnRewardError::kStop) blame(0, whole + ", first seen");
  }

  const std::string& name_;
  std::span<const Completion> batch_;
  OnRewardError on_error_;
  Judgement result_;
};

}  // namespace

Judgement judge(const std::string& name, Reward& reward, std::span<const Completion> batch, RewardContext& context,
                OnRewardError on_error) {
  return Judge(name, batch, on_error).ask(reward, context);
}

Judgement without_verdicts(const std::string& name, size_t samples, const std::string& message, OnRewardError on_error) {
  if (on_error == OnRewardError::kStop) fail("reward " + name, message);
  return {.scores = std::vector<Score>(samples, Score::undefined(message)), .fault = "[reward " + name + "] " + message};
}

void merge_metrics(const RewardContext& from, RewardContext& into) {
  for (const auto& [name, entry] : from.metrics) {
    into.metrics[name].first += entry.first;
    into.metrics[name].second += entry.second;
  }
}

}  // namespace grpo
