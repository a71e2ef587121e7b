#pragma once

#include <filesystem>

namespace grpo {

/// A run folder has one writer: whoever holds its lock. The kernel gives the lock up when the process ends, whatever ended it. Readers need
/// no lock.
class RunLock {
 public:
  /// Makes the folder if it is absent. Throws an Error that names process, machine and time of the writer if there is one. If the file
  /// system knows no locks, a warning says so and the run goes on without.
  explicit RunLock(const std::filesystem::path& run);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace grpo
