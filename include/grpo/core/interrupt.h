#pragma once

#include <string>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// What a signal to stop does: SIGINT, SIGTERM, SIGUSR1, or SIGHUP unless that was ignored before (as nohup does).
enum class OnSignal {
  kAbandon,     // a request: work that changes nothing (sampling, scoring, evaluating) is abandoned
  kFinishStep,  // a request: the step or evaluation under way is finished first
  kEnd,         // the process ends at once with status 75: there is nothing that could be lost
};

/// While one lives, signals to stop do what the youngest guard says instead of killing the process. A second signal, more than a second
/// after the first, ends the process at once with status 75 and says what is lost. SIGPIPE is ignored, so that a display that is gone ends
/// nothing. The earlier handlers return with the last guard, and the first guard clears an old request. Make and destroy guards on one
/// thread.
class InterruptGuard {
 public:
  /// `at_the_end` is said if a signal ends the process at once, and ends a sentence that begins with "interrupted; ".
  explicit InterruptGuard(OnSignal action = OnSignal::kAbandon, const std::string& at_the_end = "work that was not saved is lost");
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// Another text for the youngest guard's `at_the_end`, at most 200 bytes of it. Does nothing if none lives.
  static void say_at_the_end(const std::string& text);

 private:
  OnSignal outer_action_;
  const char* outer_text_;
};

/// Asks for a stop as a signal does. Any thread.
void request_interrupt();

/// Whether a stop was asked for since the first living guard was made (or, with none alive, while the last one lived). Any thread.
bool interrupt_requested();

/// Whether a stop was asked for at least `seconds` ago and work that changes nothing is to be abandoned. Any thread.
bool abandon_requested(double seconds = 0.0);

}  // namespace grpo
