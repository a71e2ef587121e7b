#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/json.h"

namespace grpo::cli {

/// A row of the answer to a line.
using Row = nlohmann::ordered_json;

/// A line of stdin that is a JSON object.
struct InputLine {
  int64_t number = 0;  // from 1, blank ones counted
  std::string text;
  nlohmann::json value;  // its keys are sorted
};

/// Where the rows go, how many lines have theirs already, and how many are answered together.
struct LinesOptions {
  std::function<void(const Row&)> write = {};  // by default to stdout, one a line
  int64_t skip = 0;                            // the first lines that are not blank
  size_t batch_size = 1;                       // at most; only lines that are waiting are taken together
};

struct LineCounts {
  int64_t rows = 0, errors = 0;  // of these rows
  bool whole = true;             // false if a stop was asked for (see interrupt.h) before the end, also while a line was waited for
};

/// Reads JSON lines from stdin and writes one row for each, in their order. Blank lines are skipped; an `id` of a line stands in its row.
/// A line that is no JSON object, or that `answer` throws for, gets the row {"error": …, "line": its number}, and the next ones go on: if a
/// batch throws, each of its lines is answered by itself. A warning at the end counts such rows.
LineCounts map_batches(const std::function<std::vector<Row>(const std::vector<InputLine>&)>& answer, const LinesOptions& options);
/// The same for answers that are given line by line.
LineCounts map_lines(const std::function<Row(const nlohmann::json&)>& answer, const LinesOptions& options = {});

/// The field of a line; throws naming the field where it is absent or of another type.
template <class T>
T field(const nlohmann::json& line, const char* name);

/// A field of token ids: a list of integers, which 1.7 and true are not.
std::vector<int32_t> ids_field(const nlohmann::json& line, const char* name);

}  // namespace grpo::cli

#include "grpo/core/error.h"

template <class T>
T grpo::cli::field(const nlohmann::json& line, const char* name) {
  const auto it = line.find(name);
  GRPO_CHECK(it != line.end(), "line", std::string("expected a field '") + name + "'");
  try {
    return it->get<T>();
  } catch (const nlohmann::json::exception&) {
    fail("line", std::string("expected another type for '") + name + "'; got " + to_printable_text(*it).substr(0, 80));
  }
}
