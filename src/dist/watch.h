#pragma once

#include <memory>
#include <string>

#include "dist/backend.h"

namespace grpo::dist {

/// What goes on beside the collectives, on a thread of its own with its own connection to the store: a signal to stop that one rank gets
/// reaches all of them, and whoever waits long for the others says for whom.
class Watch {
 public:
  explicit Watch(const LaunchEnvironment& launch, std::chrono::milliseconds timeout);
  /// Leaves the thread behind if the store does not answer.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// This rank enters a collective, the same one on all ranks, and leaves it.
  void enter(const char* collective);
  void leave();

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);
  static void pass_on_signals(State& state);
  static void tell_of_waiting(State& state);
  std::shared_ptr<State> state_;
};

}  // namespace grpo::dist
