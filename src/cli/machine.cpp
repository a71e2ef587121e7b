#include "cli/machine.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "grpo/data/strings.h"

namespace grpo::cli {
namespace {

namespace fs = std::filesystem;

/// Of a file of the system; empty where there is none.
std::string system_text(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::optional<double> number_in(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() ? std::nullopt : std::optional(value);
}

/// What follows `key` in the first line that begins with it, without ':' and white space.
std::string value_of(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const size_t begin = line.find_first_not_of(" \t:", key.size());
    return begin == std::string::npos ? "" : std::string(trim(line.substr(begin)));
  }
  return {};
}

/// Control groups of one hierarchy that hold this process: its own first, as far as they can be seen from here.
std::vector<fs::path> control_groups(const fs::path& root, const std::string& controller) {
  std::istringstream lines(system_text(root / "proc/self/cgroup"));
  std::vector<fs::path> groups;
  for (std::string line; std::getline(lines, line);) {  // 4:memory:/a/b, or 0::/a/b of the unified hierarchy
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = names == ",,";
    if (!unified && names.find("," + controller + ",") == std::string::npos) continue;
    const fs::path mount = root / "sys/fs/cgroup" / (unified ? "" : controller);
    fs::path inner = fs::path(line.substr(second + 1)).relative_path();
    for (; !inner.empty(); inner = inner.parent_path()) groups.push_back(mount / inner);
    groups.push_back(mount);
  }
  return groups;
}

void keep_least(std::optional<double>& least, const std::optional<double>& value) {
  if (value && *value > 0) least = std::min(least.value_or(*value), *value);
}

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for (const fs::path& group : control_groups(root, "cpu")) {
    std::istringstream both(system_text(group / "cpu.max"));  // "150000 100000" or "max 100000"
    std::string quota, period;
    if (!(both >> quota >> period)) quota = system_text(group / "cpu.cfs_quota_us"), period = system_text(group / "cpu.cfs_period_us");
    const auto time = number_in(quota), of = number_in(period);
    if (time && of && *of > 0) keep_least(least, *time / *of);
  }
  return least;
}

/// Sets the limit and lowers what is available to what the groups leave.
void read_memory_limit(const fs::path& root, Machine& machine) {
  for (const fs::path& group : control_groups(root, "memory")) {
    auto limit = number_in(system_text(group / "memory.max")), used = number_in(system_text(group / "memory.current"));
    std::string cached = value_of(system_text(group / "memory.stat"), "inactive_file");
    if (!used) {
      limit = number_in(system_text(group / "memory.limit_in_bytes")), used = number_in(system_text(group / "memory.usage_in_bytes"));
      cached = value_of(system_text(group / "memory.stat"), "total_inactive_file");
    }
    if (!limit || *limit >= machine.memory) continue;
    keep_least(machine.memory_limit, limit);
    const double free = *limit - used.value_or(0.0) + number_in(cached).value_or(0.0);
    machine.memory_available = std::min(machine.memory_available, std::clamp(free, 0.0, *limit));
  }
}

int allowed_processors() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set))
                                                       : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void read_gpus(const fs::path& root, Machine& machine) {
  const fs::path nvidia = root / "proc/driver/nvidia";
  const std::string version = value_of(system_text(nvidia / "version"), "NVRM version");
  std::istringstream words(version);
  for (std::string word; words >> word && machine.driver.empty();) {  // "NVIDIA UNIX … Kernel Module  570.86.15  …"
    if (word.find('.') != std::string::npos && number_in(word)) machine.driver = word;
  }
  std::error_code error;
  for (const auto& gpu : fs::directory_iterator(nvidia / "gpus", error)) {
    const std::string name = value_of(system_text(gpu.path() / "information"), "Model");
    machine.gpus.push_back(name.empty() ? gpu.path().filename().string() : name);
  }
}

}  // namespace

Machine read_machine(const fs::path& root) {
  constexpr double kKiB = 1024.0;
  Machine machine;
  machine.processor = value_of(system_text(root / "proc/cpuinfo"), "model name");
  machine.processors = allowed_processors();
  machine.cpu_quota = cpu_quota(root);
  machine.load = number_in(system_text(root / "proc/loadavg")).value_or(0.0);
  const std::string memory = system_text(root / "proc/meminfo");
  machine.memory = kKiB * number_in(value_of(memory, "MemTotal")).value_or(0.0);
  machine.memory_available = kKiB * number_in(value_of(memory, "MemAvailable")).value_or(0.0);
  read_memory_limit(root, machine);
  read_gpus(root, machine);
  return machine;
}

}  // namespace grpo::cli
