#include "report/warnings.h"

#include <algorithm>
#include <optional>

#include "report/html.h"
#include "report/series.h"

namespace grpo::report {
namespace {

constexpr size_t kFewestSteps = 8, kFewestEvaluations = 4;  // below them a trend is noise
constexpr double kDrop = 0.25, kSmallestDrop = 0.05;        // an accuracy lost: of its peak, and in all
constexpr double kHeld = 0.7;                               // of a peak: the format reward "stayed"
constexpr double kShrunk = 0.3;                             // of the first lengths
constexpr double kRise = 0.02;                              // of the accuracy: less is none
constexpr double kNoEntropy = 0.02;                         // nats per token
constexpr double kSolved = 0.9;                             // accuracy from which little entropy is to be expected
constexpr double kMostlyClipped = 0.5;

struct Trend {
  double first = 0.0;  // mean of the first tenth
  double peak = 0.0;   // of the mean over an eighth
  double last = 0.0;   // mean of the last quarter
};

std::optional<Trend> trend_of(const Series& series, size_t fewest) {
  const size_t n = series.size();
  if (n < fewest) return std::nullopt;
  Trend trend;
  trend.first = mean(series, 0, (n + 9) / 10);
  trend.last = mean(series, n - (n + 3) / 4, n);
  trend.peak = series.front().value;
  for (const Point& p : moving_average(series, std::max<size_t>(1, n / 8), 200)) trend.peak = std::max(trend.peak, p.value);
  return trend;
}

std::optional<Trend> evaluated_or_trained(const Run& run, const char* evaluated, const char* trained) {
  const auto trend = trend_of(run.of(evaluated), kFewestEvaluations);
  return trend ? trend : trend_of(run.of(trained), kFewestSteps);
}

void check_accuracy(const std::optional<Trend>& accuracy, const std::optional<Trend>& format, std::vector<Warning>& warnings) {
  if (!accuracy || accuracy->peak - accuracy->last < std::max(kSmallestDrop, kDrop * accuracy->peak)) return;
  const bool held = format && format->peak > 0.0 && format->last >= kHeld * format->peak;
  warnings.push_back(
      {"Accuracy fell from " + percent(accuracy->peak) + " to " + percent(accuracy->last),
       held ? "The format reward stayed high meanwhile: the model is paid for the shape of its answers and no longer for their content."
            : "The model answered better earlier in the run than in its last quarter: an earlier checkpoint may be the better one."});
}

void check_length(const std::optional<Trend>& accuracy, const std::optional<Trend>& length, std::vector<Warning>& warnings) {
  const bool rose = accuracy && accuracy->last > accuracy->first + kRise;
  if (!length || rose || length->last >= kShrunk * length->first) return;
  warnings.push_back({"Completions shrank from " + figure(length->first) + " to " + figure(length->last) + " tokens",
                      "Accuracy did not rise with it: the model has given up reasoning rather than learned to be brief."});
}

void check_entropy(const std::optional<Trend>& accuracy, const std::optional<Trend>& entropy, std::vector<Warning>& warnings) {
  if (!entropy || entropy->last >= kNoEntropy || (accuracy && accuracy->last >= kSolved)) return;
  warnings.push_back({"Entropy is " + figure(entropy->last) + " nats per token",
                      "All samples of a problem are nearly the same, so there is nothing left to compare and to learn from."});
}

void check_share(const Series& series, const char* what, const char* explanation, std::vector<Warning>& warnings) {
  const auto share = trend_of(series, kFewestSteps);
  if (share && share->last > kMostlyClipped) warnings.push_back({percent(share->last) + what, explanation});
}

/// Rewards that teach nothing: undefined, or equal within each group.
void check_rewards(const Run& run, std::vector<Warning>& warnings) {
  if (run.of("reward").empty() && !run.of("tokens/generated").empty()) {
    warnings.push_back(
        {"No sample has a verdict", "Every reward of the run is undefined, so nothing was learnt. Look at the data's reference answers."});
    return;
  }
  const auto without = trend_of(run.of("frac_reward_zero_std"), kFewestSteps);
  if (!without || without->first < 1.0 || without->last < 1.0) return;
  warnings.push_back(
      {"The rewards of each problem's samples are equal",
       "There is nothing to compare and to learn from: the problems are too easy or too hard, or the reward does not look at the answer."});
}

}  // namespace

std::vector<Warning> collapse_warnings(const Run& run) {
  std::vector<Warning> warnings;
  check_rewards(run, warnings);
  if (run.of("reward").empty()) return warnings;
  const auto accuracy = evaluated_or_trained(run, "eval_accuracy", "rewards/accuracy/mean");
  check_accuracy(accuracy, evaluated_or_trained(run, "eval_format", "rewards/format/mean"), warnings);
  check_length(accuracy, trend_of(run.of("completions/mean_length"), kFewestSteps), warnings);
  check_entropy(accuracy, trend_of(run.of("entropy"), kFewestSteps), warnings);
  check_share(run.of("completions/clipped_ratio"), " of the completions are cut off",
              "Most answers hit the limit of tokens before they end: raise max_completion_length, or look for rambling in the samples.",
              warnings);
  check_share(run.of("clip_ratio/region_mean"), " of the tokens are clipped",
              "Most of what a step could teach is thrown away: use fewer updates per rollout or a lower learning rate.", warnings);
  return warnings;
}

}  // namespace grpo::report
