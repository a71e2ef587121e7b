#include "cli/lines.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iostream>
#include <string>

#include "core/json.h"
#include "grpo/core/interrupt.h"

namespace grpo::cli {
namespace {

/// The lines of stdin. A signal that asks for a stop ends the wait for one, which std::getline would not.
class StdinLines {
 public:
  /// False at the end of stdin, and if a stop is asked for.
  bool next(std::string& line) {
    size_t end = text_.find('\n', begin_);
    while (end == std::string::npos && !ended_ && !interrupt_requested()) {
      text_.erase(0, begin_);
      const size_t searched = text_.size();
      begin_ = 0;
      read_more();
      end = text_.find('\n', searched);
    }
    if (interrupt_requested() || (end == std::string::npos && begin_ == text_.size())) return false;
    const size_t stop = std::min(end, text_.size());
    line = text_.substr(begin_, stop - begin_);
    begin_ = std::min(stop + 1, text_.size());
    return true;
  }

 private:
  void read_more() {
    constexpr int kLookEvery = 200;  // milliseconds: the signal may have come to another thread
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&input, 1, kLookEvery);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return;
    const ssize_t count = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (count > 0) text_.append(buffer_.data(), static_cast<size_t>(count));
    GRPO_CHECK(count >= 0 || errno == EINTR || errno == EAGAIN, "stdin", "expected lines; got an error of the system");
    ended_ = count == 0;
  }

  std::string text_;
  size_t begin_ = 0;  // of what was not given yet
  bool ended_ = false;
  std::array<char, 65536> buffer_{};
};

nlohmann::json parse_line(const std::string& text, const std::string& place) {
  nlohmann::json line;
  try {
    line = parse_json(text);
  } catch (const nlohmann::json::exception& error) {
    fail(place, std::string("expected a JSON object: ") + error.what());
  }
  GRPO_CHECK(line.is_object(), place, "expected a JSON object");
  return line;
}

void write_to_stdout(const std::string& line) {
  std::cout << line << "\n" << std::flush;
  if (!std::cout) fail("stdout", "expected a reader; it is gone");
}

}  // namespace

bool map_lines(const std::function<nlohmann::ordered_json(const nlohmann::json&)>& answer, const LinesOptions& options) {
  StdinLines lines;
  std::string text;
  int64_t answered = 0;
  for (int64_t number = 1; lines.next(text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos || answered++ < options.skip) continue;
    const std::string place = "stdin line " + std::to_string(number);
    const nlohmann::json line = parse_line(text, place);
    try {
      const std::string result = to_printable_text(answer(line));
      options.write ? options.write(result) : write_to_stdout(result);
    } catch (const Error& error) {
      throw Error(place + ": " + error.what(), error.kind());
    }
  }
  GRPO_CHECK(interrupt_requested() || answered >= options.skip, "stdin",
             "expected at least the " + std::to_string(options.skip) + " lines that have their results; got " + std::to_string(answered));
  return !interrupt_requested();
}

}  // namespace grpo::cli
