#include "cli/lines.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "core/json.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"

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
      read_more(kLookEvery);
      end = text_.find('\n', searched);
    }
    if (interrupt_requested() || (end == std::string::npos && begin_ == text_.size())) return false;
    const size_t stop = std::min(end, text_.size());
    line = text_.substr(begin_, stop - begin_);
    begin_ = std::min(stop + 1, text_.size());
    return true;
  }

  /// Whether a whole line is there without waiting for it.
  bool waiting() {
    if (text_.find('\n', begin_) == std::string::npos && !ended_) read_more(0);
    return text_.find('\n', begin_) != std::string::npos || (ended_ && begin_ < text_.size());
  }

 private:
  static constexpr int kLookEvery = 200;  // milliseconds: the signal may have come to another thread

  void read_more(int patience) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&input, 1, patience);
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

nlohmann::json parse_line(const std::string& text) {
  nlohmann::json line;
  try {
    line = parse_json(text, {.depth = 64});
  } catch (const nlohmann::json::exception& error) {
    fail("line", std::string("expected a JSON object: ") + error.what());
  }
  GRPO_CHECK(line.is_object(), "line", std::string("expected a JSON object; got ") + line.type_name());
  return line;
}

void write_to_stdout(const Row& row) {
  std::cout << to_printable_text(row) << "\n" << std::flush;
  if (!std::cout) fail("stdout", "expected a reader; it is gone");
}

/// A line and what becomes of it.
struct Line {
  InputLine input;
  std::optional<std::string> error;
  Row answer;

  Row row() const {
    Row row = Row::object();
    if (const auto id = input.value.find("id"); id != input.value.end()) row["id"] = *id;
    if (error) {
      row["error"] = *error;
      row["line"] = input.number;
    } else {
      row.update(answer);
    }
    return row;
  }
};

/// What `work` throws, if it is the line's fault and not the end of the work.
std::optional<std::string> error_of(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    return error.what();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return caught_text();
  }
}

using AnswerBatch = std::function<std::vector<Row>(const std::vector<InputLine>&)>;

std::optional<std::string> answer_lines(const AnswerBatch& answer, const std::vector<Line*>& lines) {
  return error_of([&] {
    std::vector<InputLine> inputs;
    for (const Line* line : lines) inputs.push_back(line->input);
    std::vector<Row> answers = answer(inputs);
    for (size_t i = 0; i < lines.size(); ++i) lines[i]->answer = std::move(answers.at(i));
  });
}

void answer_batch(const AnswerBatch& answer, std::vector<Line>& batch) {
  std::vector<Line*> good;
  for (Line& line : batch) {
    if (!line.error) good.push_back(&line);
  }
  if (good.empty()) return;
  const auto error = answer_lines(answer, good);
  if (error && good.size() == 1) good.front()->error = error;
  if (!error || good.size() == 1) return;
  for (Line* line : good) line->error = answer_lines(answer, {line});
}

/// The lines of stdin that are not blank, with their numbers.
class NumberedLines {
 public:
  /// Waits for a line, unless only one that is there is wanted. False where there is none.
  bool next(std::string& text, bool only_waiting) {
    do {
      if ((only_waiting && !lines_.waiting()) || !lines_.next(text)) return false;
      ++number_;
    } while (text.find_first_not_of(" \t\r") == std::string::npos);
    return true;
  }
  /// The line that was read last.
  Line parsed(const std::string& text) const {
    Line line{.input = {.number = number_, .text = text, .value = {}}, .error = {}, .answer = {}};
    line.error = error_of([&line] { line.input.value = parse_line(line.input.text); });
    return line;
  }

 private:
  StdinLines lines_;
  int64_t number_ = 0;
};

}  // namespace

LineCounts map_batches(const AnswerBatch& answer, const LinesOptions& options) {
  NumberedLines lines;
  LineCounts counts;
  const auto write = options.write ? options.write : write_to_stdout;
  std::string text;
  int64_t skipped = 0;
  while (skipped < options.skip && lines.next(text, false)) ++skipped;
  GRPO_CHECK(interrupt_requested() || skipped == options.skip, "stdin",
             "expected at least the " + std::to_string(options.skip) + " lines that have their results; got " + std::to_string(skipped));
  while (lines.next(text, false)) {
    std::vector<Line> batch;
    do {
      batch.push_back(lines.parsed(text));
    } while (batch.size() < options.batch_size && lines.next(text, true));
    try {
      answer_batch(answer, batch);
    } catch (const Error& error) {
      if (!interrupt_requested()) throw;
      break;
    }
    for (const Line& answered : batch) {
      write(answered.row());
      ++counts.rows;
      counts.errors += answered.error ? 1 : 0;
    }
  }
  counts.whole = !interrupt_requested();
  if (counts.errors > 0) log_warn(std::to_string(counts.errors) + " of " + std::to_string(counts.rows) + " lines got an error row");
  return counts;
}

LineCounts map_lines(const std::function<Row(const nlohmann::json&)>& answer, const LinesOptions& options) {
  return map_batches(
      [&answer](const std::vector<InputLine>& batch) {
        std::vector<Row> rows;
        for (const auto& line : batch) rows.push_back(answer(line.value));
        return rows;
      },
      options);
}

std::vector<int32_t> ids_field(const nlohmann::json& line, const char* name) {
  const auto list = field<nlohmann::json>(line, name);
  const auto is_id = [](const nlohmann::json& id) {
    return id.is_number_unsigned() ? id.get<uint64_t>() <= INT32_MAX : id.is_number_integer() && id.get<int64_t>() >= INT32_MIN;
  };
  if (!list.is_array() || !std::ranges::all_of(list, is_id))
    fail("line", std::string("expected a list of integers for '") + name + "'; got " + to_printable_text(list).substr(0, 80));
  return list.get<std::vector<int32_t>>();
}

}  // namespace grpo::cli
