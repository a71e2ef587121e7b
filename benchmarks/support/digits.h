#pragma once

#include <string_view>

namespace grpo::bench {

/// Share of the text's characters (UTF-8) that are 0 to 9: the peers' reward.
double digit_fraction(std::string_view text);

}  // namespace grpo::bench
