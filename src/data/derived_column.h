#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace grpo {

/// What a mapping's name stands for that is no column's: a dotted path into nested columns (reward_model.ground_truth), which may be JSON
/// text, or a text with columns in braces ("{question}\n{hint}", where {{ and }} are braces). None where the path leads nowhere or to null.
/// Throws `Error` that begins with `place` on a bad template and where it names a column that is absent, null or neither text nor a number.
std::optional<nlohmann::ordered_json> derived_column(const nlohmann::ordered_json& columns, const std::string& name,
                                                     std::string_view place);

}  // namespace grpo
