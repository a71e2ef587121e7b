#include "grpo/core/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>

namespace grpo {
namespace {

constexpr std::array<int, 5> kSignals{SIGINT, SIGTERM, SIGUSR1, SIGHUP, SIGPIPE};
constexpr int64_t kNever = -1;
constexpr int64_t kRepeatMilliseconds = 1000;  // launchers and terminals may deliver one wish twice
constexpr size_t kTextSize = 256;

std::atomic<int64_t> requested_at{kNever};  // milliseconds of the monotonic clock
std::atomic<OnSignal> action{OnSignal::kAbandon};
std::atomic<const char*> end_text{nullptr};
static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<OnSignal>::is_always_lock_free &&
                  std::atomic<const char*>::is_always_lock_free,
              "a signal handler uses them");

int guards = 0;
std::array<struct sigaction, kSignals.size()> earlier_actions;

/// A handler may still read an old text while a new one is written, so they take turns.
const char* kept(const std::string& text) {
  static std::array<std::array<char, kTextSize>, 8> texts;
  static size_t next = 0;
  auto& place = texts[next++ % texts.size()];
  const std::string whole = "grpo: interrupted; " + text.substr(0, 200) + "\n";
  std::copy(whole.begin(), whole.end(), place.begin());
  place[whole.size()] = '\0';
  return place.data();
}

int64_t milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

void end_now() {
  const char* text = end_text.load();
  if (text != nullptr && ::write(STDERR_FILENO, text, std::strlen(text)) < 0) text = nullptr;  // nobody listens
  ::_exit(75);
}

extern "C" void grpo_on_signal(int) {
  const int error = errno;
  if (action.load() == OnSignal::kEnd) end_now();
  const int64_t now = milliseconds();
  int64_t first = kNever;
  if (!requested_at.compare_exchange_strong(first, now) && now - first >= kRepeatMilliseconds) end_now();
  errno = error;
}

}  // namespace

InterruptGuard::InterruptGuard(OnSignal what, const std::string& at_the_end) : outer_action_(action.load()), outer_text_(end_text.load()) {
  action = what;
  end_text = kept(at_the_end);
  if (guards++ > 0) return;
  requested_at = kNever;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction wanted {};
    wanted.sa_handler = kSignals[i] == SIGPIPE ? SIG_IGN : grpo_on_signal;
    wanted.sa_flags = SA_RESTART;
    sigemptyset(&wanted.sa_mask);
    sigaction(kSignals[i], nullptr, &earlier_actions[i]);
    const bool stays_ignored = kSignals[i] == SIGHUP && earlier_actions[i].sa_handler == SIG_IGN;
    if (!stays_ignored) sigaction(kSignals[i], &wanted, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  action = outer_action_;
  end_text = outer_text_;
  if (--guards > 0) return;
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &earlier_actions[i], nullptr);
}

void InterruptGuard::say_at_the_end(const std::string& text) {
  if (guards > 0) end_text = kept(text);
}

void request_interrupt() {
  int64_t first = kNever;
  requested_at.compare_exchange_strong(first, milliseconds());
}

bool interrupt_requested() { return requested_at.load(std::memory_order_relaxed) != kNever; }

bool abandon_requested(double seconds) {
  const int64_t at = requested_at.load(std::memory_order_relaxed);
  return at != kNever && action.load(std::memory_order_relaxed) == OnSignal::kAbandon &&
         static_cast<double>(milliseconds() - at) >= seconds * 1e3;
}

}  // namespace grpo
