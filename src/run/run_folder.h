#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grpo/io/atomic_file.h"
#include "grpo/run/metric_sink.h"

namespace grpo {

/// Sizes of the logs at a checkpoint: a resumed run cuts them back to here, so that no step stands in them twice.
struct LogSizes {
  uint64_t metrics = 0, completions = 0;
  bool operator==(const LogSizes&) const = default;
};

/// Where a resumed run goes on.
struct Resumed {
  LogSizes logs;
  int64_t step = 0;  // optimiser steps done
};

/// The folder of a run: config.json, metrics.jsonl, completions.jsonl, verdicts.json, checkpoints and what sinks write.
class RunFolder {
 public:
  /// Makes the folder. A folder that holds another run's metrics or checkpoints is refused, unless the run is resumed: then the logs are
  /// cut back to what they were at its checkpoint. A log that is shorter than that is named and
  /// goes on.
  RunFolder(const std::filesystem::path& path, const std::string& config_json, const std::optional<Resumed>& resumed = std::nullopt);

  /// Gives the figures to that sink too.
  void add(std::unique_ptr<MetricSink> sink) { sinks_.push_back(std::move(sink)); }
  /// One line of metrics.jsonl, in which figures that are not finite become null, then every sink.
  void metrics(int64_t step, const std::map<std::string, double>& values);
  void completion(const std::string& json_line);
  /// verdicts.json takes this text; an empty one makes no file.
  void verdicts(const std::string& json);
  LogSizes sizes() const { return {metrics_.size(), completions_.size()}; }

 private:
  std::filesystem::path path_;
  AppendFile metrics_, completions_;
  std::string verdicts_;  // as written
  std::vector<std::unique_ptr<MetricSink>> sinks_;
};

/// checkpoint-N folders of a run, the newest first; unfinished ones are not among them.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& run);

/// The N of checkpoint-N; -1 for any other name.
int64_t checkpoint_step(const std::filesystem::path& path);

/// Calls `write(folder)` on a new folder beside, hashes and syncs it, then renames it to run/checkpoint-<step>; a failure leaves nothing
/// behind.
void write_checkpoint(const std::filesystem::path& run, int64_t step, const std::function<void(const std::filesystem::path&)>& write);

/// Its two halves. The first gives the files to the system without waiting for the disk. The second reads nothing but them, so that it can
/// run beside anything else: manifest, syncing and the name.
void stage_checkpoint(const std::filesystem::path& run, int64_t step, const std::function<void(const std::filesystem::path&)>& write);
void place_checkpoint(const std::filesystem::path& run, int64_t step);
/// Removes what a killed process left between the two.
void remove_unfinished_checkpoints(const std::filesystem::path& run);

/// Removes the oldest checkpoints beyond `limit` (0 = keeps all), but never that of step `newest`.
void prune_checkpoints(const std::filesystem::path& run, int64_t limit, int64_t newest);

/// Gives the logs of an earlier run other names (metrics.jsonl.1, completions.jsonl.1, verdicts.json.1, events.1, or the next number that
/// is free), so that a new one can begin in its folder.
void move_logs_aside(const std::filesystem::path& run);

}  // namespace grpo
