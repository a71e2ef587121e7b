#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "core/json.h"

namespace grpo::cli {

/// Reads JSON lines from stdin and writes one JSON line for each. Blank lines are skipped; a line that is no JSON object ends the program
/// with an error that names its number.
void map_lines(const std::function<nlohmann::ordered_json(const nlohmann::json&)>& answer);

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
