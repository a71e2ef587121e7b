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

  /// Kills the process: a call under way throws, and so does every call before `resume`. Any thread.
  void abandon();
  void resume() { abandoned_ = false; }

 private:
  void begin();
  [[noreturn]] void fail_by_end();

  ForkServer server_;
  std::mutex mutex_;  // of the two below, against `abandon`
  ForkedChild child_;
  Descriptor socket_;
  std::atomic<bool> abandoned_ = false;
};

}  // namespace grpo
