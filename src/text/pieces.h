#pragma once

#include <string_view>

namespace grpo::text {

inline constexpr std::string_view kPieceSpace = "\xE2\x96\x81";  // U+2581, how pieces of sentencepiece spell a space

}  // namespace grpo::text
