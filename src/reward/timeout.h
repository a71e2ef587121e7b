#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "grpo/reward/score.h"
#include "reward/on_error.h"

namespace grpo {

/// Completions and their problems, copied: a call that is left behind may read them after the caller's are gone.
class OwnedBatch {
 public:
  explicit OwnedBatch(std::span<const Completion> batch);
  std::span<const Completion> completions() const { return completions_; }

 private:
  std::vector<Completion> completions_;
  std::map<const Problem*, std::unique_ptr<const Problem>> problems_;  // by the caller's
};

class RewardCall;

/// What is remembered of a function's earlier calls.
struct RewardHistory {
  std::shared_ptr<RewardCall> left_behind;  // the function may still run in it
  std::chrono::duration<double> notice{};   // the longest wait that the log told of
  bool warned = false;                      // of a sample that lost its verdict
};

/// How long a call is awaited if nothing else is said.
struct Patience {
  std::chrono::duration<double> notice{10.0};          // until the log names a function without a timeout, and again when that has doubled
  std::chrono::duration<double> after_interrupt{3.0};  // a function that comes back by then lets the step end in order
  std::chrono::duration<double> poll{0.1};
};

/// Whether an earlier call of the function still runs.
bool still_runs(RewardHistory& history);

/// Calls function `f` of the set on a thread of its own and waits for it, see `score_all`. A fault of the whole batch if it comes back
/// later than a tenth (at most a second) past its timeout: one that looks at the context's deadline is not cut off by a hair's breadth.
Judgement judge_on_own_thread(const RewardSet& set, size_t f, const std::shared_ptr<const OwnedBatch>& batch, RewardContext& context,
                              const Patience& patience = {});

}  // namespace grpo
