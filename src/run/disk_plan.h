#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace grpo {

/// What a run is going to write beside its logs, in bytes. The tensors are counted: what is beside them, such as tokenizers and figures, is
/// small.
struct DiskPlan {
  double checkpoint = 0;        // of one
  int64_t checkpoints = 0;      // that are still to be written
  int64_t limit = 0;            // that are kept; 0 = all
  std::vector<double> present;  // of the run's checkpoints that are there, the oldest first
  double model = 0;             // of the final model
};

/// The most that the run will take at a time beyond what is taken now. A new checkpoint is complete before an old one goes.
double peak_bytes(const DiskPlan& plan);

/// Throws if that is more than `free` bytes in the file system of `run`.
void expect_room(const DiskPlan& plan, const std::filesystem::path& run, double free);

/// Bytes free for this user in the file system where `run` is or will be; nothing where the system does not say.
std::optional<double> free_bytes(const std::filesystem::path& run);

/// The plan in a line for people.
std::string disk_line(const DiskPlan& plan, const std::filesystem::path& run);

/// Such as "12.3 MiB".
std::string size_text(double bytes);

}  // namespace grpo
