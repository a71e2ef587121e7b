#include "grpo/core/interrupt.h"

#include <signal.h>

#include <array>
#include <atomic>

namespace grpo {
namespace {

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR1};

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

int guards = 0;
std::array<struct sigaction, kSignals.size()> earlier_actions;

extern "C" void grpo_request_interrupt(int) { requested.store(true, std::memory_order_relaxed); }

}  // namespace

InterruptGuard::InterruptGuard() {
  if (guards++ > 0) return;
  requested.store(false, std::memory_order_relaxed);
  for (size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = grpo_request_interrupt;
    // After the first SIGINT the default action stands again, so that the second one ends the process.
    action.sa_flags = SA_RESTART | (kSignals[i] == SIGINT ? static_cast<int>(SA_RESETHAND) : 0);
    sigemptyset(&action.sa_mask);
    sigaction(kSignals[i], &action, &earlier_actions[i]);
  }
}

InterruptGuard::~InterruptGuard() {
  if (--guards > 0) return;
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &earlier_actions[i], nullptr);
}

bool interrupt_requested() { return requested.load(std::memory_order_relaxed); }

}  // namespace grpo
