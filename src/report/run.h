#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a run's folder says about the run.
namespace grpo::report {

struct Point {
  double step = 0.0, value = 0.0;
};
using Series = std::vector<Point>;  // by ascending step, values finite

struct Sample {
  double step = 0.0;
  std::string prompt, completion, finish;
  std::vector<std::pair<std::string, double>> rewards;  // NaN: the function had no verdict
  std::map<std::string, std::string> kinds;             // of the verdicts, by function
};

/// A setting or content that changed when the run went on after a step.
struct ChangedSetting {
  double step = 0.0;
  std::string key, was, now;
};

/// Right answers that a function cannot read.
struct UnreadableGolds {
  struct Example {
    double problem = 0.0;
    std::string gold, reason;
  };
  std::string function, data;
  double problems = 0.0, unreadable = 0.0;
  std::vector<Example> examples;
};

/// A rejected answer that looks like the right one.
struct NearMiss {
  std::string function, gold, given, reason;
  double problem = 0.0, count = 0.0, first_step = 0.0, last_step = 0.0;
};

struct Run {
  std::string name;
  std::map<std::string, Series, std::less<>> series;
  double first_step = std::numeric_limits<double>::max(), last_step = std::numeric_limits<double>::lowest();
  int64_t undefined_values = 0;             // nulls and the like in the log
  std::vector<Sample> early, late;          // of the first and of the last step that has any; `late` is empty where they are the same
  std::vector<ChangedSetting> changes;      // in the order of the file
  std::vector<UnreadableGolds> unreadable;  // in the order of the file, and the next too
  std::vector<NearMiss> near_misses;
  std::string config;  // text of config.json; empty without one

  /// The series of that name; an empty one where nothing was logged under it.
  const Series& of(std::string_view metric) const;
};

/// What kind of training the figures are of: «Reinforcement learning», «Direct preference optimisation», «Reward model» or «Supervised
/// fine-tuning».
std::string_view kind_of(const Run& run);

/// The last part of the folder's path.
std::string run_name(const std::filesystem::path& folder);

/// Reads metrics.jsonl of `folder` alone. A last line that was cut off is left out. Throws as read_run does.
Run read_figures(const std::filesystem::path& folder);

/// Reads metrics.jsonl, completions.jsonl, changes.jsonl, verdicts.json and config.json of `folder`; all but the first may be missing. A
/// last line that was cut off is left out. Throws `Error` where metrics.jsonl is missing, has no line, or holds a broken line before the
/// last.
Run read_run(const std::filesystem::path& folder);

}  // namespace grpo::report
