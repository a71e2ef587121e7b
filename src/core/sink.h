#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace grpo {

/// A function of the application's that takes the place of an output to stderr. Calls come one at a time, from any thread; a sink may cause
/// a call of itself, and may be replaced while it runs.
template <class... Arguments>
class Sink {
 public:
  using Function = std::function<void(Arguments...)>;

  /// Returns when no other thread is in the earlier function any more.
  void set(Function function) {
    auto shared = function ? std::make_shared<const Function>(std::move(function)) : nullptr;
    const std::lock_guard lock(mutex_);
    function_ = std::move(shared);
  }

  /// False where no function is set. What the function throws is dropped: it has no part in the work that it hears of.
  bool call(Arguments... arguments) {
    const std::lock_guard lock(mutex_);
    const auto function = function_;  // stays alive if it replaces itself
    if (!function) return false;
    try {
      (*function)(arguments...);
    } catch (...) {
      return true;
    }
    return true;
  }

  bool is_set() {
    const std::lock_guard lock(mutex_);
    return function_ != nullptr;
  }

 private:
  std::recursive_mutex mutex_;
  std::shared_ptr<const Function> function_;
};

}  // namespace grpo
