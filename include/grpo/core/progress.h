#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

struct ProgressOptions {
  int64_t initial = 0;             // items done before this run: left out of the rate
  double interval = 10.0;          // seconds between plain lines
  std::optional<bool> terminal;    // rewrite one line; unset: whether stderr is a terminal
  int64_t columns = 0;             // a rewritten line is cut to so many bytes; 0: the terminal's width
  std::ostream* stream = nullptr;  // borrowed; unset: std::cerr
  std::function<double()> clock;   // seconds, monotonic; unset: the steady clock
};

/// A line of progress: "train 12/100 (12%) 3.4/s ETA 0:26 | loss 0.1". On a terminal one line is rewritten, at most ten times a second;
/// elsewhere a plain line is written at most every `interval` seconds. Not thread-safe.
class Progress {
 public:
  /// `total` 0: unknown, no share and no ETA.
  Progress(std::string label, int64_t total, ProgressOptions options = {});
  /// Shows the last state if it was not shown, and ends a terminal's line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` items so far, the initial ones included; `suffix`: a few key figures.
  void update(int64_t done, std::string_view suffix = {});

 private:
  std::string line(double now) const;
  void show(double now);

  std::string label_;
  int64_t total_;
  ProgressOptions options_;
  double started_, shown_;
  int64_t done_;
  std::string suffix_;
  bool pending_ = false;    // the last state was not shown
  bool line_open_ = false;  // a terminal's line waits for its end
};

}  // namespace grpo
