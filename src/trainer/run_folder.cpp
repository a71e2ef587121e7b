#include "trainer/run_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

fs::path prepared(const fs::path& path, const std::string& config_json, const LogSizes* keep) {
  std::error_code error;
  fs::create_directories(path, error);
  GRPO_CHECK(!error, "output_dir", "cannot make " + path.string() + ": " + error.message());
  if (keep == nullptr && fs::exists(path / "metrics.jsonl") && fs::file_size(path / "metrics.jsonl") > 0) {
    fail_usage("output_dir", path.string() + " holds another run: continue it with --resume, or choose another folder");
  }
  write_file_atomically(path / "config.json", config_json);
  return path;
}

std::optional<uint64_t> kept(const LogSizes* keep, uint64_t LogSizes::*size) {
  return keep == nullptr ? std::nullopt : std::optional(keep->*size);
}

/// The N of checkpoint-N; -1 for any other name.
int64_t checkpoint_step(const fs::path& path) {
  const std::string name = path.filename().string(), prefix = "checkpoint-";
  int64_t step = -1;
  if (name.rfind(prefix, 0) != 0) return -1;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  return error == std::errc() && end == name.data() + name.size() ? step : -1;
}

void sync(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  GRPO_CHECK(descriptor >= 0, "checkpoint", "cannot open " + path.string() + " to sync it");
  const int status = ::fsync(descriptor);
  ::close(descriptor);
  GRPO_CHECK(status == 0, "checkpoint", "cannot sync " + path.string());
}

}  // namespace

RunFolder::RunFolder(const fs::path& path, const std::string& config_json, const LogSizes* keep)
    : metrics_(prepared(path, config_json, keep) / "metrics.jsonl", kept(keep, &LogSizes::metrics)),
      completions_(path / "completions.jsonl", kept(keep, &LogSizes::completions)),
      events_(path / "events") {}

void RunFolder::metrics(int64_t step, const std::map<std::string, double>& values) {
  nlohmann::ordered_json line = {{"step", step}};
  for (const auto& [name, value] : values) {
    line[name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
    if (std::isfinite(value)) events_.scalar(name, value, step);
  }
  metrics_.append_line(to_text(line));
  events_.flush();
}

void RunFolder::completion(const std::string& json_line) { completions_.append_line(json_line); }

std::vector<fs::path> list_checkpoints(const fs::path& run) {
  std::vector<fs::path> found;
  if (!fs::is_directory(run)) return found;
  for (const auto& entry : fs::directory_iterator(run)) {
    if (entry.is_directory() && checkpoint_step(entry.path()) >= 0) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) { return checkpoint_step(a) > checkpoint_step(b); });
  return found;
}

void write_checkpoint(const fs::path& run, int64_t step, const std::function<void(const fs::path&)>& write) {
  const fs::path target = run / ("checkpoint-" + std::to_string(step)), beside = run / (".unfinished-" + std::to_string(step));
  fs::remove_all(beside);
  fs::create_directories(beside);
  try {
    write(beside);
    for (const auto& entry : fs::directory_iterator(beside)) sync(entry.path());
    sync(beside);
    fs::remove_all(target);
    fs::rename(beside, target);
    sync(run);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(beside, ignored);
    throw;
  }
}

void prune_checkpoints(const fs::path& run, int64_t limit) {
  if (limit <= 0) return;
  const auto all = list_checkpoints(run);
  for (size_t i = static_cast<size_t>(limit); i < all.size(); ++i) fs::remove_all(all[i]);
}

}  // namespace grpo
