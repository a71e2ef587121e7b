#include "grpo/core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <utility>

#include "core/display_width.h"
#include "core/sink.h"
#include "grpo/core/log.h"

namespace grpo {
namespace {

constexpr double kQuickInterval = 0.1;  // seconds between states on a terminal or in a sink

double steady_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int64_t terminal_columns() {
  struct winsize size {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

template <class... Values>
std::string formatted(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

/// "0:26", "12:05", "3:00:00"
std::string duration(double seconds) {
  const auto whole = static_cast<long long>(std::min(seconds + 0.5, 1e15));
  if (whole < 3600) return formatted("%lld:%02lld", whole / 60, whole % 60);
  return formatted("%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
}

using StateSink = Sink<const ProgressState&>;
StateSink& state_sink() {
  static StateSink& instance = *new StateSink;
  return instance;
}

/// "train 12/100 (12%) 3.4/s ETA 0:26"
std::string head_of(const ProgressState& state) {
  std::string text = on_one_line(state.label) + " " + std::to_string(state.done);
  if (state.total > 0)
    text += "/" + std::to_string(state.total) +
            formatted(" (%.0f%%)", 100.0 * static_cast<double>(state.done) / static_cast<double>(state.total));
  if (state.rate > 0) text += state.rate >= 0.1 ? formatted(" %.3g/s", state.rate) : formatted(" %.3g s each", 1 / state.rate);
  if (state.eta) text += " ETA " + duration(*state.eta);
  return text;
}

std::string line_of(const ProgressState& state) {
  return state.suffix.empty() ? head_of(state) : head_of(state) + " | " + on_one_line(state.suffix);
}

/// The line without the last figures of the suffix that do not fit (a part of a number would be another number), and cut if it is still too
/// long.
std::string fitting_line(const ProgressState& state, size_t columns) {
  std::string text = line_of(state);
  const size_t head = head_of(state).size();
  while (text.size() > head && display_width(text) > columns) {
    const size_t gap = text.rfind("  ");
    text.resize(gap == std::string::npos ? head : std::max(gap, head));
  }
  return cut_to_width(text, columns);
}

}  // namespace

void set_progress_sink(ProgressSink sink) { state_sink().set(std::move(sink)); }

Progress::Progress(std::string label, int64_t total, ProgressOptions options)
    : label_(std::move(label)), total_(total), options_(std::move(options)), done_(options_.initial) {
  if (!options_.clock) options_.clock = steady_seconds;
  if (options_.stream == nullptr) options_.stream = &std::cerr;
  if (!options_.terminal) options_.terminal = isatty(STDERR_FILENO) == 1;
  started_ = options_.clock();
  shown_ = started_ - options_.interval - kQuickInterval;  // the first update shows
}

Progress::~Progress() {
  if (pending_) show(options_.clock());
  if (line_open_) *options_.stream << '\n' << std::flush;
}

double Progress::least_wait() const { return *options_.terminal || state_sink().is_set() ? kQuickInterval : options_.interval; }

void Progress::update(int64_t done, std::string_view suffix) {
  done_ = done;
  suffix_ = suffix;
  const double now = options_.clock();
  pending_ = now - shown_ < least_wait();
  if (!pending_) show(now);
}

ProgressState Progress::state(double now) const {
  ProgressState state{.label = label_, .done = done_, .total = total_, .rate = 0.0, .eta = std::nullopt, .suffix = suffix_};
  const double elapsed = now - started_;
  const auto here = static_cast<double>(done_ - options_.initial);
  if (elapsed > 0 && here > 0) state.rate = here / elapsed;
  if (state.rate > 0 && total_ > done_) state.eta = static_cast<double>(total_ - done_) / state.rate;
  return state;
}

void Progress::show(double now) {
  shown_ = now;
  const ProgressState current = state(now);
  if (state_sink().call(current) || log_level() != LogLevel::kInfo) return;
  if (*options_.terminal) {
    const int64_t columns = options_.columns > 0 ? options_.columns : terminal_columns();
    // A line as wide as the terminal makes some of them begin another one.
    *options_.stream << '\r' << fitting_line(current, static_cast<size_t>(std::max<int64_t>(columns - 1, 1))) << "\x1b[K" << std::flush;
    line_open_ = true;
  } else {
    *options_.stream << line_of(current) << '\n' << std::flush;
  }
}

}  // namespace grpo
