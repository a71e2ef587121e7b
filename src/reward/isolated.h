#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "grpo/reward/reward.h"
#include "sandbox/fork_server.h"

namespace grpo {

/// A reward that is made and called in a process of its own, which is forked when the object is made and keeps what the reward remembers
/// between batches. If the process ends in a call, `score` throws `Error` and says how, and the next call begins with a new one; so it does
/// after `abandon`.
class IsolatedReward final : public Reward {
 public:
  /// `make` runs in the process. Throws what it throws, as an `Error` of the same kind.
  explicit IsolatedReward(const std::function<std::unique_ptr<Reward>()>& make);
  ~IsolatedReward() override;

  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) override;
  std::string unreadable(const Problem& problem) const override;

  /// Kills the process: a call under way throws, and so does every call before `resume`. Any thread.
  void abandon();
  void resume() { abandoned_ = false; }

 private:
  void ask(const std::string& request, std::span<Score> scores, RewardContext& context) const;
  void begin() const;
  [[noreturn]] void fail_by_end() const;

  mutable ForkServer server_;
  mutable std::mutex talk_;   // one question at a time
  mutable std::mutex mutex_;  // of the two below, against `abandon`
  mutable ForkedChild child_;
  mutable Descriptor socket_;
  std::atomic<bool> abandoned_ = false;
};

}  // namespace grpo
