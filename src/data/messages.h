#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "grpo/data/types.h"

namespace grpo {

/// A list of messages as a row has it. Throws `Error` that begins with `place` where a message has no role, or nothing to say, or where a
/// part of its content is no text.
std::vector<Message> read_messages(const nlohmann::ordered_json& list, std::string_view place);

/// Whether a template's variable is what the library itself sets, so that no row may.
bool is_reserved_variable(std::string_view name);

}  // namespace grpo
