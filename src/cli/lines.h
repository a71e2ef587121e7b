#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "core/json.h"

namespace grpo::cli {

/// Where the answers to lines go, and how many lines have theirs already.
struct LinesOptions {
  std::function<void(const std::string&)> write = {};  // a line without its line feed; by default to stdout
  int64_t skip = 0;                                    // the first lines that are not blank
};

/// Reads JSON lines from stdin and writes one JSON line for each. Blank lines are skipped; a line that is no JSON object ends the program
/// with an error that names its number. False if a stop was asked for (see interrupt.h) before the end, also while a line was waited for.
bool map_lines(const std::function<nlohmann::ordered_json(const nlohmann::json&)>& answer, const LinesOptions& options = {});

/// The field of a line; throws naming the field where it is absent or of another type.
template <class T>
T field(const nlohmann::json& line, const char* name);

}  // namespace grpo::cli

#include "grpo/core/error.h"

template <class T>
T grpo::cli::field(const nlohmann::json& line, const char* name) {
  const auto it = line.find(name);
  GRPO_CHECK(it != line.end(), "stdin", std::string("expected a field '") + name + "'");
  try {
    return it->get<T>();
  } catch (const nlohmann::json::exception&) {
    fail("stdin", std::string("expected another type for '") + name + "'; got " + to_text(*it).substr(0, 80));
  }
}
