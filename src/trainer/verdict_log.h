#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "grpo/core/metrics.h"
#include "grpo/policy/experience.h"
#include "grpo/reward/verdicts.h"

namespace grpo {

/// What a run tells of its verdicts, for people who look for a rule that is too strict: counts by kind among the figures, and
/// verdicts.json.
class VerdictLog {
 public:
  explicit VerdictLog(std::vector<std::string> functions) : functions_(std::move(functions)) {}

  /// Notes right answers that cannot be read; `data` is "train" or "eval". Warns of them if `says_so`.
  void look_at(const std::string& data, const RewardSet& rewards, const std::vector<Problem>& problems, bool says_so);
  /// Takes the verdicts of a round of optimiser step `step`, which is 1 for the first, and counts them in `kinds`, by function.
  void add(const Experience& groups, int64_t step, std::vector<KindTally>& kinds);
  /// A figure rewards/<function>/verdicts/<kind> for each kind that was given.
  Metrics figures(const std::vector<KindTally>& kinds) const;
  /// verdicts.json.
  std::string text() const;

  /// The nearest misses become what they were when `mark` was called.
  void mark() { marked_ = misses_; }
  void roll_back() { misses_ = marked_; }
  void describe_state(ConfigVisitor& visitor) { misses_.describe_state(visitor); }

 private:
  std::vector<std::string> functions_;
  std::vector<std::pair<std::string, UnreadableGolds>> unreadable_;  // by data
  NearMisses misses_, marked_;
};

}  // namespace grpo
