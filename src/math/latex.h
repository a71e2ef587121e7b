#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace grpo {

/// The commands that put a box around a final answer.
inline constexpr std::array<std::string_view, 3> kBoxes = {"\\boxed", "\\fbox", "\\framebox"};

/// Of ASCII.
inline bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The letters of ASCII in lower case, all else as it is.
std::string lower_case(std::string_view text);

/// Where the brace that opens at `open` closes; npos if it does not. A backslash hides the brace behind it.
size_t closing_brace(std::string_view text, size_t open);

}  // namespace grpo
