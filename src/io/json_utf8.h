#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace grpo {

/// Bytes of the well-formed UTF-8 character (Unicode 15, table 3-7) at `at`, or 0 where none stands.
size_t utf8_length(std::string_view text, size_t at);

/// The first byte that belongs to no well-formed character, or npos.
size_t find_bad_utf8(std::string_view text);

/// Appends the character `code`, below 0x110000 and no surrogate.
void append_utf8(std::string& text, uint32_t code);

}  // namespace grpo
