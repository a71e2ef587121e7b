#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "grpo/data/types.h"

namespace grpo {

/// Sets the problem's right answers from its answer column: text or a number, or a list of these, each of which is right. Throws `Error`
/// that begins with `place` on anything else, on an empty list and on empty texts in a list.
void read_answers(const nlohmann::ordered_json& value, const std::string& column, std::string_view place, Problem& problem);

}  // namespace grpo
