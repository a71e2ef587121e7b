#pragma once

#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Every run of ASCII white space as one space, none at the ends.
std::string collapse_white_space(std::string_view text);

/// The first `bytes` bytes at most, cut between UTF-8 characters, with "…" where something was cut.
std::string clip_text(std::string_view text, size_t bytes);

}  // namespace grpo
