#pragma once

#include <span>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// " (did you mean 'x'?)" for the candidate x nearest to `name`, or "" if none is near: within a third of the candidate's
/// length in edits (insert, delete, replace, swap neighbours), letter case and '-' or '_' not counting. The first of equals wins.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// "a reward", "an optimizer"
std::string with_article(std::string_view noun);

}  // namespace grpo
