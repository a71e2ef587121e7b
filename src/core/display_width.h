#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace grpo {

/// How many columns of a terminal `text` takes: wide characters take two, combining ones none. What is no character takes one.
size_t display_width(std::string_view text);

/// The longest start of `text` that takes at most `columns`. No character is cut in two.
std::string cut_to_width(std::string_view text, size_t columns);

/// `text` with a space in the place of each control character, so that it stays on its line.
std::string on_one_line(std::string_view text);

}  // namespace grpo
