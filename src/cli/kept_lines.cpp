#include "cli/kept_lines.h"

#include <utility>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"

namespace grpo::cli {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kKeptLines = "results";
constexpr std::chrono::seconds kSyncEvery{5};

fs::path settings_file(const fs::path& file) { return file.string() + ".settings.json"; }

std::vector<std::string> whole_lines(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// Every setting that differs, with both values.
std::string differences(const OrderedJson& made_with, const OrderedJson& asked) {
  std::string text;
  const auto add = [&](const std::string& name) {
    const auto value = [&name](const OrderedJson& settings) { return settings.contains(name) ? to_text(settings[name]) : "nothing"; };
    if (value(made_with) != value(asked)) text += "; expected " + name + " " + value(made_with) + ", got " + value(asked);
  };
  for (const auto& item : asked.items()) add(item.key());
  for (const auto& item : made_with.items()) {
    if (!asked.contains(item.key())) add(item.key());
  }
  return text;
}

}  // namespace

KeptLines::KeptLines(fs::path file, bool resume) : file_(std::move(file)), synced_(std::chrono::steady_clock::now()) {
  const fs::path folder = file_.has_parent_path() ? file_.parent_path() : ".";
  if (!fs::is_directory(folder)) fail_usage(kKeptLines, "expected a file in a folder that exists; got " + file_.string());
  if (!fs::exists(file_)) return;
  if (!fs::is_regular_file(file_)) fail_usage(kKeptLines, "expected a regular file; got " + file_.string());
  if (!resume && fs::file_size(file_) > 0)
    fail_usage(kKeptLines,
               "expected a new file; got " + file_.string() + ", which holds results: go on with --resume, or name another file");
  earlier_ = whole_lines(file_text(file_, kKeptLines));
}

KeptLines::~KeptLines() {
  try {
    if (out_) out_->sync();
  } catch (const Error& error) {
    log_warn(error.what());
  }
}

void KeptLines::begin(const OrderedJson& settings) const {
  const fs::path beside = settings_file(file_);
  if (earlier_.empty()) {
    write_file_atomically(beside, to_text(settings, 2) + "\n");
    return;
  }
  if (!fs::exists(beside))
    fail_usage(kKeptLines,
               "expected " + beside.string() + ", which says what the lines of " + file_.string() + " were made with; got none");
  const auto made_with = try_parse_json<OrderedJson>(file_text(beside, kKeptLines));
  GRPO_CHECK(made_with.is_object(), kKeptLines, "expected a JSON object in " + beside.string() + "; got something else");
  const std::string other = differences(made_with, settings);
  if (!other.empty()) fail_usage(kKeptLines, file_.string() + " was made with other settings" + other);
}

void KeptLines::open(size_t lines) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < lines; ++i) bytes += earlier_[i].size() + 1;
  out_ = std::make_unique<AppendFile>(file_, bytes);
  if (lines > 0) log_info("goes on behind line " + std::to_string(lines) + " of " + file_.string());
  earlier_.clear();
}

void KeptLines::append(const std::string& line) {
  out_->append_line(line);
  const auto now = std::chrono::steady_clock::now();
  if (now - synced_ < kSyncEvery) return;
  out_->sync();
  synced_ = now;
}

void fail_resumable(const std::string& where, const std::string& done, const KeptLines* kept) {
  const std::string next = kept != nullptr ? "; " + kept->file() + " keeps the results: go on with --resume" : "";
  fail_interrupted(where, "interrupted after " + done + next);
}

}  // namespace grpo::cli
