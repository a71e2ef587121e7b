#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/core/config.h"
#include "io/json_tree.h"

namespace grpo {

inline bool has_min(const Range& range) { return range.min > Range{}.min; }
inline bool has_max(const Range& range) { return range.max < Range{}.max; }

/// " > 0", " >= 1", " <= 5", " in [0, 1]", or "" for any number: what follows "a number".
std::string range_text(const Range& range);

/// "'a', 'b'"
std::string quoted_list(const std::vector<std::string>& names, const std::string& quote);

/// "section.name"
std::string joined_path(const std::string& section, std::string_view name);

JsonValue::Data json_optional(const std::optional<int64_t>& value);
JsonValue::Data json_optional(const std::optional<double>& value);
JsonValue::Data json_list(const std::vector<std::string>& values);
JsonValue::Data json_list(const std::vector<double>& values);

}  // namespace grpo
