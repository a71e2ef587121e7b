#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "grpo/io/atomic_file.h"

namespace grpo::cli {

/// The .jsonl file that a long command writes line by line, and can go on with. Every line is a result; what they were made with stands
/// beside the file, in `<file>.settings.json`. In this order: construct, begin, open, append.
class KeptLines {
 public:
  /// Throws a usage error if the file is no regular one, or if it holds lines and `resume` is false. Reads its whole lines.
  KeptLines(std::filesystem::path file, bool resume);
  /// Syncs, as far as that works.
  ~KeptLines();

  std::string file() const { return file_.string(); }
  /// The lines that are there; a last one without its line feed is none.
  const std::vector<std::string>& earlier() const { return earlier_; }
  /// Throws a usage error that shows both values if the lines that are there were made with other settings.
  void begin(const nlohmann::ordered_json& settings) const;
  /// Cuts off what follows the first `lines` lines, and opens the file for more.
  void open(size_t lines);
  /// Adds a line, and every few seconds waits until the disk has them all.
  void append(const std::string& line);

 private:
  std::filesystem::path file_;
  std::vector<std::string> earlier_;
  std::unique_ptr<AppendFile> out_;
  std::chrono::steady_clock::time_point synced_;
};

/// Exit status 75: says what was done, of what, and how to go on if the results are kept.
[[noreturn]] void fail_resumable(const std::string& where, const std::string& done, const KeptLines* kept);

}  // namespace grpo::cli
