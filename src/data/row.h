#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "grpo/data/dataset.h"

namespace grpo {

inline constexpr size_t kMaxKeys = 10000;  // of one object: an ordered object looks at all of them for each new one
inline constexpr std::string_view kDatasetWhere = "load_problems";

/// Throws an `Error` of reading a file; `place` is the file, or its name and a line.
[[noreturn]] void fail_at(std::string_view place, const std::string& message);

std::string at_line(const std::string& file, int64_t line);

/// A JSON text that begins on line `line` of `file`.
nlohmann::ordered_json parse_at(std::string_view text, const std::string& file, int64_t line);

/// One row, which must be an object; `place` is for messages.
Problem problem_from(const nlohmann::ordered_json& columns, const FieldMapping& mapping, std::string_view place);

}  // namespace grpo
