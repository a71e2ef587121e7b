#pragma once

namespace grpo {

/// While one lives, SIGINT, SIGTERM and SIGUSR1 ask for a stop instead of ending the process; a second SIGINT ends it at once.
/// The previous handlers return with the last guard, and the first guard clears an old request. Make and destroy guards on one thread.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// Whether such a signal came since the first living guard was made (or, with none alive, while the last one lived). Any thread.
bool interrupt_requested();

}  // namespace grpo
