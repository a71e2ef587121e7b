#include "grpo/core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <utility>

namespace grpo {
namespace {

constexpr double kTerminalInterval = 0.1;

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

/// At most `size` bytes, no UTF-8 character cut in two.
void cut(std::string& text, size_t size) {
  if (text.size() <= size) return;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  text.resize(size);
}

}  // namespace

Progress::Progress(std::string label, int64_t total, ProgressOptions options)
    : label_(std::move(label)), total_(total), options_(std::move(options)), done_(options_.initial) {
  if (!options_.clock) options_.clock = steady_seconds;
  if (options_.stream == nullptr) options_.stream = &std::cerr;
  if (!options_.terminal) options_.terminal = isatty(STDERR_FILENO) == 1;
  started_ = options_.clock();
  shown_ = started_ - options_.interval - kTerminalInterval;  // the first update shows
}

Progress::~Progress() {
  if (pending_) show(options_.clock());
  if (line_open_) *options_.stream << '\n' << std::flush;
}

void Progress::update(int64_t done, std::string_view suffix) {
  done_ = done;
  suffix_ = suffix;
  const double now = options_.clock();
  pending_ = now - shown_ < (*options_.terminal ? kTerminalInterval : options_.interval);
  if (!pending_) show(now);
}

std::string Progress::line(double now) const {
  std::string text = label_ + " " + std::to_string(done_);
  if (total_ > 0)
    text += "/" + std::to_string(total_) + formatted(" (%.0f%%)", 100.0 * static_cast<double>(done_) / static_cast<double>(total_));
  const double elapsed = now - started_;
  const auto here = static_cast<double>(done_ - options_.initial);
  if (elapsed > 0 && here > 0) {
    const double rate = here / elapsed;
    text += rate >= 0.1 ? formatted(" %.3g/s", rate) : formatted(" %.3g s each", 1 / rate);
    if (total_ > done_) text += " ETA " + duration(static_cast<double>(total_ - done_) / rate);
  }
  return suffix_.empty() ? text : text + " | " + suffix_;
}

void Progress::show(double now) {
  std::string text = line(now);
  if (*options_.terminal) {
    cut(text, static_cast<size_t>(options_.columns > 0 ? options_.columns : terminal_columns()));
    *options_.stream << '\r' << text << "\x1b[K" << std::flush;
    line_open_ = true;
  } else {
    *options_.stream << text << '\n' << std::flush;
  }
  shown_ = now;
}

}  // namespace grpo
