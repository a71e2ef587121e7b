#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace grpo::cli {

/// What the system says of the machine, and what it lets this process use.
struct Machine {
  std::string processor;               // its name; empty where the system does not say
  int processors = 1;                  // that this process may run on
  std::optional<double> cpu_quota;     // processors' worth of time, by the control group; nothing if there is no limit
  double load = 0.0;                   // processes that ran at a time, averaged over the last minute
  double memory = 0.0;                 // bytes of the machine
  double memory_available = 0.0;       // bytes that can be had, by the system and by the control group
  std::optional<double> memory_limit;  // bytes, by the control group; nothing if there is none below the machine's
  std::string driver;                  // NVIDIA's version; empty if there is none
  std::vector<std::string> gpus;       // that the driver names
};

/// Reads /proc and /sys below `root`.
Machine read_machine(const std::filesystem::path& root = "/");

}  // namespace grpo::cli
