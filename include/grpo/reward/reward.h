#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/options.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// A reward's verdict on one step of a completion.
struct StepScore {
  size_t end = 0;  // bytes from the beginning of the text to just past the step
  double value = 0.0;
};

/// Kinds of verdicts that more is made of: an accepted answer, and none because the right answer cannot be read.
inline constexpr const char* kRight = "right";
inline constexpr const char* kUnreadableGold = "unreadable gold";

/// A reward's verdict on one completion.
struct Score {
  double value = 0.0;
  std::string reason;            // for people and `grpo score`; may stay empty
  std::string kind;              // what verdicts are counted by: one of a few short texts, `kRight` for an accepted answer; may stay empty
  std::string gold, given;       // the right answer and the given one as they were read, for people; empty where there are none
  std::vector<StepScore> steps;  // in the order of their ends; what process supervision learns from, may stay empty

  Score() = default;
  Score(double v) : value(v) {}  // NOLINT(google-explicit-constructor): `scores[i] = 1.0` is the usual way to write one
  Score(double v, std::string why, std::string of_kind = {}) : value(v), reason(std::move(why)), kind(std::move(of_kind)) {}

  /// No verdict: the sample is left out of the baseline and of the sum (TRL's None).
  static Score undefined(std::string why = {}, std::string of_kind = {}) {
    return {std::numeric_limits<double>::quiet_NaN(), std::move(why), std::move(of_kind)};
  }
  bool defined() const { return !std::isnan(value); }
  /// `kind`; where that is empty "undefined", "positive", "zero" or "negative", as the value is.
  std::string counted_as() const;
};

/// What a reward may know of the run and tell it.
class RewardContext {
 public:
  int64_t step = 0;                                                                               // optimiser steps done
  int64_t max_completion_length = 0;                                                              // tokens; 0 if there is no limit
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();  // be back by then, see RewardRules

  /// Averages `value` into the metric `name` of this step.
  void log_metric(const std::string& name, double value);
  std::map<std::string, std::pair<double, int64_t>> metrics;  // name → (sum, count)
};

/// Judges completions. Subclass it, override `score`, register it: `registry.add_reward<MyReward>("mine")`.
/// `score` is never called concurrently on one object; the calls may come from different threads. A reward that throws stops the run with
/// its message, or gives no verdict (the config's `on_error`). A call that has overrun its timeout goes on alone while the run does or
/// ends, so a reward that may hang owns what it uses.
class Reward {
 public:
  virtual ~Reward() = default;
  /// `scores` has one entry per completion, preset to 0.
  virtual void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) = 0;
  /// Why no completion of the problem can get a verdict, such as a right answer that cannot be read; empty if one can. Asked of all
  /// problems before the first completion, so that a run tells of them at its start; it may be called while `score` runs.
  virtual std::string unreadable(const Problem& /*problem*/) const { return {}; }
};

/// A reward's own options: name → JSON text of the value, as in the config.
using RewardOptions = NamedOptions;

}  // namespace grpo
