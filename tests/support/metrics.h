#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace grpo::testing {

/// The lines of a run's metrics.jsonl without what clocks say: what two runs are compared by.
inline std::vector<nlohmann::json> timeless_metrics(const std::filesystem::path& run) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(run / "metrics.jsonl");
  for (std::string text; std::getline(in, text);) {
    nlohmann::json& line = lines.emplace_back(nlohmann::json::parse(text));
    for (auto it = line.begin(); it != line.end();) {
      const bool timed = it.key() == "step_time" || it.key().starts_with("time/");
      it = timed ? line.erase(it) : std::next(it);
    }
  }
  return lines;
}

}  // namespace grpo::testing
