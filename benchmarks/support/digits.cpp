#include "support/digits.h"

#include <algorithm>
#include <cstdint>

namespace grpo::bench {

double digit_fraction(std::string_view text) {
  int64_t characters = 0, digits = 0;
  for (const char c : text) {
    characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;  // continuation bytes belong to the character before
    digits += c >= '0' && c <= '9' ? 1 : 0;
  }
  return static_cast<double>(digits) / static_cast<double>(std::max<int64_t>(1, characters));
}

}  // namespace grpo::bench
