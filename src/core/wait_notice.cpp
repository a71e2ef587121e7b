#include "core/wait_notice.h"

#include <utility>

#include "grpo/core/log.h"

namespace grpo {

void log_waiting(const std::string& whom, std::chrono::duration<double> waited) {
  log_always("waiting for " + whom + " since " + std::to_string(static_cast<long long>(waited.count())) + " s");
}

WaitNotice::WaitNotice(std::string whom) : whom_(std::move(whom)), thread_([this] { run(); }) {}

WaitNotice::~WaitNotice() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WaitNotice::run() {
  const auto began = std::chrono::steady_clock::now();
  const auto waited = [began] { return NoticeTimes::Seconds(std::chrono::steady_clock::now() - began); };
  NoticeTimes times;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, times.next() - waited(), [this] { return over_; })) {
    if (times.due(waited())) log_waiting(whom_, waited());
  }
}

}  // namespace grpo
