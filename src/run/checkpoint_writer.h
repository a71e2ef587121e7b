#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>

namespace grpo {

/// Writes a run's checkpoints beside training. The caller waits only until the files are with the system, whose memory is the copy that
/// training cannot change; hashes, syncing, the name checkpoint-N and the removal of old checkpoints follow on another thread. At most one
/// checkpoint is under way.
class CheckpointWriter {
 public:
  /// Keeps the newest `limit` checkpoints; 0 keeps all. Removes what a killed process left unfinished in the folder.
  CheckpointWriter(std::filesystem::path run, int64_t limit);
  /// Waits.
  ~CheckpointWriter() = default;
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Waits for the one under way; calls `write(folder)` on a new folder; returns while the rest is done. Throws what `write` throws, and
  /// the failure of the one before.
  void begin(int64_t step, const std::function<void(const std::filesystem::path&)>& write);
  /// Throws the failure of the one under way if it has failed by now; never waits.
  void check();
  /// Waits for the one under way, and throws its failure.
  void wait();

 private:
  std::filesystem::path run_;
  int64_t limit_;
  std::future<void> under_way_;  // not valid: none is
};

}  // namespace grpo
