#include "run/run_folder.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "run/manifest.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVerdicts = "verdicts.json";
constexpr std::array kLogs = {"metrics.jsonl", "completions.jsonl", kVerdicts, "events"};

fs::path prepared(const fs::path& path, const std::string& config_json, const std::optional<Resumed>& resumed) {
  std::error_code error;
  fs::create_directories(path, error);
  GRPO_CHECK(!error, "output_dir", "cannot make " + path.string() + ": " + error.message());
  const bool logged = fs::exists(path / "metrics.jsonl") && fs::file_size(path / "metrics.jsonl") > 0;
  if (!resumed && (logged || !list_checkpoints(path).empty()))
    fail_usage("output_dir", path.string() + " holds another run: resume it, or choose another folder");
  write_file_atomically(path / "config.json", config_json);
  return path;
}

/// A log, cut back to what it was at the checkpoint that a run is resumed from.
AppendFile log_file(const fs::path& path, const std::optional<Resumed>& resumed, uint64_t LogSizes::*size) {
  if (!resumed) return AppendFile(path);
  const uint64_t kept = resumed->logs.*size, present = fs::exists(path) ? fs::file_size(path) : 0;
  if (present < kept) {  // logs are no part of what is trained
    log_warn(path.string() + " has " + std::to_string(present) + " of the " + std::to_string(kept) + " bytes that it had after step " +
             std::to_string(resumed->step) + ": earlier lines are lost, and the log goes on from here");
  }
  return AppendFile(path, std::min(present, kept));
}

constexpr const char* kUnfinished = ".unfinished-";

fs::path checkpoint_folder(const fs::path& run, int64_t step) { return run / ("checkpoint-" + std::to_string(step)); }
fs::path unfinished_folder(const fs::path& run, int64_t step) { return run / (kUnfinished + std::to_string(step)); }

/// Does `action`; if it throws, the folder goes.
template <class Action>
void or_remove(const fs::path& folder, const Action& action) {
  try {
    action();
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
}

/// The folder takes the place of `target`; one that stands there goes only afterwards, where the file system can exchange names.
void put_in_place(const fs::path& folder, const fs::path& target) {
  if (::renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(folder);
  } else {
    fs::remove_all(target);
    fs::rename(folder, target);
  }
}

}  // namespace

int64_t checkpoint_step(const fs::path& path) {
  const std::string name = path.filename().string(), prefix = "checkpoint-";
  int64_t step = -1;
  if (name.rfind(prefix, 0) != 0) return -1;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  return error == std::errc() && end == name.data() + name.size() ? step : -1;
}

RunFolder::RunFolder(const fs::path& path, const std::string& config_json, const std::optional<Resumed>& resumed)
    : path_(path),
      metrics_(log_file(prepared(path, config_json, resumed) / "metrics.jsonl", resumed, &LogSizes::metrics)),
      completions_(log_file(path / "completions.jsonl", resumed, &LogSizes::completions)) {}

void RunFolder::metrics(int64_t step, const std::map<std::string, double>& values) {
  nlohmann::ordered_json line = {{"step", step}};
  for (const auto& [name, value] : values)
    line[name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
  metrics_.append_line(to_text(line));
  for (const auto& sink : sinks_) sink->write(step, values);
}

void RunFolder::completion(const std::string& json_line) { completions_.append_line(json_line); }

void RunFolder::verdicts(const std::string& json) {
  if (json.empty() || json == verdicts_) return;
  const DeferredSync never;  // a run that goes on writes it anew
  write_file_atomically(path_ / kVerdicts, json + "\n");
  verdicts_ = json;
}

std::vector<fs::path> list_checkpoints(const fs::path& run) {
  std::vector<fs::path> found;
  if (!fs::is_directory(run)) return found;
  for (const auto& entry : fs::directory_iterator(run)) {
    if (entry.is_directory() && checkpoint_step(entry.path()) >= 0) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) { return checkpoint_step(a) > checkpoint_step(b); });
  return found;
}

void stage_checkpoint(const fs::path& run, int64_t step, const std::function<void(const fs::path&)>& write) {
  const fs::path folder = unfinished_folder(run, step);
  fs::remove_all(folder);
  fs::create_directories(folder);
  const DeferredSync until_it_is_placed;
  or_remove(folder, [&] { write(folder); });
}

void place_checkpoint(const fs::path& run, int64_t step) {
  const fs::path folder = unfinished_folder(run, step);
  or_remove(folder, [&] {
    write_manifest(folder, step);
    for (const auto& entry : fs::recursive_directory_iterator(folder)) sync_to_disk(entry.path());
    sync_to_disk(folder);
    put_in_place(folder, checkpoint_folder(run, step));
    sync_to_disk(run);
  });
}

void write_checkpoint(const fs::path& run, int64_t step, const std::function<void(const fs::path&)>& write) {
  stage_checkpoint(run, step, write);
  place_checkpoint(run, step);
}

void remove_unfinished_checkpoints(const fs::path& run) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(run)) {
    if (entry.path().filename().string().starts_with(kUnfinished)) found.push_back(entry.path());
  }
  for (const auto& path : found) fs::remove_all(path);
}

void prune_checkpoints(const fs::path& run, int64_t limit, int64_t newest) {
  if (limit <= 0) return;
  auto all = list_checkpoints(run);
  std::erase_if(all, [newest](const fs::path& path) { return checkpoint_step(path) == newest; });
  for (size_t i = static_cast<size_t>(limit) - 1; i < all.size(); ++i) fs::remove_all(all[i]);
}

void move_logs_aside(const fs::path& run) {
  const auto aside = [&run](const char* log, int64_t number) { return run / (std::string(log) + "." + std::to_string(number)); };
  int64_t number = 1;
  while (std::ranges::any_of(kLogs, [&](const char* log) { return fs::exists(aside(log, number)); })) ++number;
  for (const char* log : kLogs) {
    if (!fs::exists(run / log)) continue;
    fs::rename(run / log, aside(log, number));
    log_info("an earlier run's " + (run / log).string() + " is now " + aside(log, number).filename().string());
  }
}

}  // namespace grpo
