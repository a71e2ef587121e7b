#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// How many edits make one text of the other: insertions, deletions, replacements and swaps of neighbours. Letter case and '-' or '_' do
/// not count.
size_t edit_distance(std::string_view a, std::string_view b);

/// " (did you mean 'x'?)" for the candidate x nearest to `name`, or "" if none is near: within a third of the candidate's
/// length in edits (insert, delete, replace, swap neighbours), letter case and '-' or '_' not counting. The first of equals wins.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// "a reward", "an optimizer"
std::string with_article(std::string_view noun);

}  // namespace grpo
