#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/config.h"
#include "grpo/data/types.h"
#include "grpo/reward/reward.h"
#include "grpo/reward/score.h"

// What people look at to find a rule that is too strict: how often each kind of verdict was given, right answers that cannot be read, and
// rejected answers that look like the right one.
namespace GRPO_API grpo {

/// Kinds of verdicts and how often each was given, the most frequent first, equal ones by name.
using KindCounts = std::vector<std::pair<std::string, int64_t>>;

/// Counts verdicts by kind.
class KindTally {
 public:
  void add(const Score& score) { add(score.counted_as()); }
  void add(std::string_view kind);
  /// At most 16; the rarest beyond them together as "other kinds".
  KindCounts counts() const;

 private:
  std::map<std::string, int64_t> counts_;
};

/// Those of a function that can give no verdict on some problems, whatever the completion.
struct UnreadableGolds {
  struct Example {
    int64_t problem = 0;  // Problem::index
    std::string gold;     // its answer, clipped
    std::string reason;
  };
  std::string function;
  int64_t problems = 0, unreadable = 0;
  std::vector<Example> examples;  // the first ones
};
/// For each function that has any.
std::vector<UnreadableGolds> unreadable_golds(const RewardSet& rewards, const std::vector<Problem>& problems);
/// "reward accuracy can give no verdict on 12 of 7473 problems, such as 17 ('…'): …"
std::string to_string(const UnreadableGolds& golds);

/// How alike two answers look, from 0 to 1. Two numbers: by the leading digits that agree, and 0.7 if one is 100 times the other. Other
/// texts: by the share of characters that no edit touches, or of which one contains the other; brackets, punctuation, LaTeX's layout and
/// letter case do not count.
double nearness(std::string_view a, std::string_view b);

/// A rejected answer that looks like the right one, and how often it was given.
struct NearMiss {
  std::string function, gold, given, reason;
  double nearness = 0.0;
  int64_t problem = 0;                    // Problem::index, of the first one
  int64_t count = 0;                      //
  int64_t first_step = 0, last_step = 0;  // optimiser steps

  bool operator==(const NearMiss&) const = default;
};

/// The nearest misses of a run: 24 different pairs of answers at most, whatever came in between, with how often each came. Their order and
/// number do not depend on the order in which verdicts are added.
class NearMisses {
 public:
  /// Counts the verdict if it rejects an answer whose nearness is 0.5 or more.
  void add(const std::string& function, const Score& score, const Problem& problem, int64_t step);
  const std::vector<NearMiss>& nearest() const { return nearest_; }
  /// What a checkpoint keeps.
  void describe_state(ConfigVisitor& visitor);

 private:
  std::vector<NearMiss> nearest_;  // the nearest first
};

}  // namespace grpo
