#include "reward/timeout.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "reward/isolated.h"

namespace grpo {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr Clock::time_point kNever = Clock::time_point::max();

Clock::time_point after(Clock::time_point begin, Seconds seconds) { return begin + std::chrono::duration_cast<Clock::duration>(seconds); }

std::string in_seconds(Seconds seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", seconds.count());
  return text;
}

}  // namespace

/// One call of a function and all that it uses, shared by the thread that runs it and the one that waits.
class RewardCall {
 public:
  RewardCall(std::string name, std::shared_ptr<Reward> reward, std::shared_ptr<const OwnedBatch> batch, RewardContext context,
             OnRewardError on_error)
      : name_(std::move(name)),
        reward_(std::move(reward)),
        batch_(std::move(batch)),
        context_(std::move(context)),
        on_error_(on_error),
        samples_(batch_->completions().size()) {}

  void run() {
    Judgement judgement;
    std::exception_ptr error;
    try {
      judgement = judge(name_, *reward_, batch_->completions(), context_, on_error_);
    } catch (...) {
      error = std::current_exception();
    }
    reward_.reset();  // before it is over: who sees that destroys nothing on this thread
    batch_.reset();
    const std::lock_guard lock(mutex_);
    judgement_ = std::move(judgement);
    error_ = std::move(error);
    over_ = true;
    changed_.notify_all();
  }

  bool over() {
    const std::lock_guard lock(mutex_);
    return over_;
  }

  /// Whether it is over by then.
  bool wait_until(Clock::time_point time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, time, [this] { return over_; });
  }

  /// What came of it, with its metrics; only once it is over.
  Judgement take(RewardContext& context) {
    if (error_) std::rethrow_exception(error_);
    merge_metrics(context_, context);
    return std::move(judgement_);
  }

  const std::string& name() const { return name_; }
  size_t samples() const { return samples_; }

 private:
  const std::string name_;
  std::shared_ptr<Reward> reward_;
  std::shared_ptr<const OwnedBatch> batch_;
  RewardContext context_;
  const OnRewardError on_error_;
  const size_t samples_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  Judgement judgement_;
  std::exception_ptr error_;
};

namespace {

enum class Outcome { kOver, kLate, kInterrupted };

/// Waits for a call that began at `begin`.
Outcome wait_for(RewardCall& call, Clock::time_point begin, Seconds timeout, RewardHistory& history, const Patience& patience) {
  const bool limited = timeout.count() > 0.0;
  const Clock::time_point late = limited ? after(begin, timeout + std::min(timeout / 10, Seconds(1.0))) : kNever;
  Clock::time_point notice = after(begin, limited ? timeout : std::max(patience.notice, 2 * history.notice)), stop = kNever;
  while (!call.wait_until(std::min({after(Clock::now(), patience.poll), notice, late, stop}))) {
    const Clock::time_point now = Clock::now();
    const std::string awaited = "reward " + call.name() + " has been awaited for " + in_seconds(now - begin);
    if (now >= notice) {
      log_warn(awaited + (limited ? ", its timeout" : ""));
      history.notice = now - begin;
      notice = limited ? kNever : after(begin, 2 * history.notice);
    }
    if (now >= late) return Outcome::kLate;
    if (now >= stop) return Outcome::kInterrupted;
    if (stop == kNever && interrupt_requested()) {
      stop = after(now, patience.after_interrupt);
      log_warn(awaited + "; a stop is asked for, so it has " + in_seconds(patience.after_interrupt) + " more");
    }
  }
  return Outcome::kOver;
}

}  // namespace

OwnedBatch::OwnedBatch(std::span<const Completion> batch) : completions_(batch.begin(), batch.end()) {
  for (Completion& completion : completions_) {
    if (completion.problem == nullptr) continue;
    auto& problem = problems_[completion.problem];
    if (!problem) problem = std::make_unique<const Problem>(*completion.problem);
    completion.problem = problem.get();
  }
}

bool still_runs(RewardHistory& history) {
  if (history.left_behind && history.left_behind->over()) history.left_behind.reset();
  return history.left_behind != nullptr;
}

Judgement judge_on_own_thread(const RewardSet& set, size_t f, const std::shared_ptr<const OwnedBatch>& batch, RewardContext& context,
                              const Patience& patience) {
  const RewardRules& rules = set.rules[f];
  const Seconds timeout(rules.timeout);
  const Clock::time_point begin = Clock::now();
  RewardContext own = context;
  if (rules.timeout > 0.0) own.deadline = std::min(own.deadline, after(begin, timeout));
  const auto call = std::make_shared<RewardCall>(set.names[f], set.rewards[f], batch, std::move(own), rules.on_error);
  std::thread thread([call] { call->run(); });
  const Outcome outcome = wait_for(*call, begin, timeout, *set.histories[f], patience);
  if (outcome == Outcome::kOver) {
    thread.join();
    return call->take(context);
  }
  const auto isolated = std::dynamic_pointer_cast<IsolatedReward>(set.rewards[f]);
  if (isolated) {  // without its process the call comes back
    isolated->abandon();
    thread.join();
    isolated->resume();
  } else {
    thread.detach();
    set.histories[f]->left_behind = call;
  }
  if (outcome == Outcome::kInterrupted) {
    fail_interrupted("reward " + call->name(), "expected verdicts; got a signal to stop, and the function had not come back after " +
                                                   in_seconds(Clock::now() - begin));
  }
  return without_verdicts(call->name(), call->samples(),
                          "expected verdicts within " + in_seconds(timeout) + "; the function has not come back" +
                              (isolated ? ", and its process was killed" : ""),
                          rules.on_error);
}

}  // namespace grpo
