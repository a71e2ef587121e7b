#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "sandbox/descriptor.h"

namespace grpo {

/// How a child of a fork server ended.
struct ChildEnd {
  enum class How : int32_t {
    kExited,  // by itself; `value` is its exit status
    kSignal,  // by the signal `value`
    kKilled,  // because `ForkedChild::kill` was called
    kLost,    // it could not be started, or its keeper was killed; `value` is an errno or 0
  };
  How how = How::kLost;
  int32_t value = 0;
};

/// "exit status 3", "signal 11 (Segmentation fault)".
std::string to_text(const ChildEnd& end);

/// A child under way. With the object it is killed, with every process that it started, and all of them are gone then.
class ForkedChild {
 public:
  ForkedChild() = default;
  explicit ForkedChild(Descriptor control) : control_(std::move(control)) {}
  ForkedChild(ForkedChild&&) = default;
  ForkedChild& operator=(ForkedChild&&) = default;
  ~ForkedChild() { kill(), wait(); }

  /// Asks for the end of it and of every process that it started. Any thread, while the object lives.
  void kill() const;
  /// Becomes readable at the end.
  int control() const { return control_.get(); }
  /// Waits until it and all that it started are gone.
  ChildEnd wait();

 private:
  Descriptor control_;
};

/// A small process of one thread, forked when the object is made, which forks children that run `main`. Make it early: what the program
/// holds by then (memory, but no descriptor above 2) is what the children begin with, and locks that other threads hold stay closed there.
///
/// Between the server and each child stands a keeper: orphans become its children (Linux's child subreaper), so that it finds and kills
/// whatever the child started, in another session or not, when the child has ended, when it is told to, and when this program has ended.
/// All are in a session of their own and ignore the signals that ask a run to stop.
class ForkServer {
 public:
  /// What a child does with a request and its descriptors, which it owns; it ends with the status that is returned.
  using Main = std::function<int(std::string_view request, std::span<const int> descriptors)>;

  explicit ForkServer(const Main& main);
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  /// Any thread. Throws `Error` if the server is gone or the system has no descriptor left.
  ForkedChild start(std::string_view request, std::span<const int> descriptors);

 private:
  std::mutex mutex_;
  Descriptor socket_;
  pid_t server_ = 0;
};

}  // namespace grpo
