#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace grpo {

/// When something that waits says so: after 10 s, and then each time that it has waited twice as long.
class NoticeTimes {
 public:
  using Seconds = std::chrono::duration<double>;
  /// Whether a notice is due after a wait of that length; then the next one is later.
  bool due(Seconds waited) {
    if (waited < next_) return false;
    while (next_ <= waited) next_ *= 2;
    return true;
  }
  Seconds next() const { return next_; }

 private:
  Seconds next_{10.0};
};

/// "waiting for WHOM since 20 s" on one line of the log, whatever its level.
void log_waiting(const std::string& whom, std::chrono::duration<double> waited);

/// While one lives, its maker waits for `whom`, and a thread says so at the times of `NoticeTimes`.
class WaitNotice {
 public:
  explicit WaitNotice(std::string whom);
  ~WaitNotice();
  WaitNotice(const WaitNotice&) = delete;
  WaitNotice& operator=(const WaitNotice&) = delete;

 private:
  void run();
  const std::string whom_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace grpo
