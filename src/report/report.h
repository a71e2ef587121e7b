#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace grpo {

/// Writes report.html into a run's folder from its metrics.jsonl, completions.jsonl, verdicts.json and config.json: one self-contained
/// page. Throws `Error` where there are no metrics.
void write_report(const std::filesystem::path& run_folder);

struct FollowCallbacks {
  /// The page's address, and whether the run has yet to log something.
  std::function<void(const std::string& address, bool waiting)> listening;
  /// Asked twenty times a second; true ends the serving.
  std::function<bool()> stopped;
};

/// Serves the page of a run that goes on, or has yet to begin, on 127.0.0.1 alone, and returns when it was stopped. Open pages follow the
/// run's files by themselves. `port` 0: a free one. Throws `Error` if the port cannot be had.
void follow_report(const std::filesystem::path& run_folder, int port, const FollowCallbacks& callbacks);

}  // namespace grpo
