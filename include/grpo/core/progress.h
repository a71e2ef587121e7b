#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// How far something is.
struct ProgressState {
  std::string label;          // what it is: "train"
  int64_t done = 0;           // items, those of earlier runs included
  int64_t total = 0;          // 0: unknown
  double rate = 0.0;          // items per second, the mean of this run; 0: unknown
  std::optional<double> eta;  // seconds to go; unset: unknown
  std::string suffix;         // a few key figures, two spaces between them
};

using ProgressSink = std::function<void(const ProgressState&)>;

/// Progress goes to `sink` instead of stderr, whatever the log level; an empty one gives it back to stderr. Any thread. A sink is called on
/// the thread that works, at most ten times a second and with the last state in any case, one call at a time; when this function returns,
/// no other thread is in the earlier sink any more. A sink may set another one. What it throws is dropped.
void set_progress_sink(ProgressSink sink);

struct ProgressOptions {
  int64_t initial = 0;             // items done before this run: left out of the rate
  double interval = 10.0;          // seconds between plain lines
  std::optional<bool> terminal;    // rewrite one line; unset: whether stderr is a terminal
  int64_t columns = 0;             // a terminal's width, which a rewritten line stays below; 0: stderr's
  std::ostream* stream = nullptr;  // borrowed; unset: std::cerr
  std::function<double()> clock;   // seconds, monotonic; unset: the steady clock
};

/// A line of progress: "train 12/100 (12%) 3.4/s ETA 0:26 | reward 0.1  length 43". On a terminal one line is rewritten, at most ten times
/// a second, and never wraps: figures that do not fit are left out, the last ones first. Elsewhere a plain line is written at most every
/// `interval` seconds. Nothing is drawn unless the log level is kInfo, nor where `set_progress_sink` gave another place. Not thread-safe.
class Progress {
 public:
  /// `total` 0: unknown, no share and no ETA.
  Progress(std::string label, int64_t total, ProgressOptions options = {});
  /// Shows the last state if it was not shown, and ends a terminal's line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` items so far, the initial ones included; `suffix`: a few key figures, the most important first, two spaces between them.
  void update(int64_t done, std::string_view suffix = {});

 private:
  ProgressState state(double now) const;
  double least_wait() const;
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
