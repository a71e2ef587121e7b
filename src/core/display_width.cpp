#include "core/display_width.h"

#include <utf8proc.h>

#include <algorithm>

#include "core/utf8.h"

namespace grpo {
namespace {

size_t columns_of(const Utf8Step& step) {
  if (step.status != Utf8Status::kValid) return 1;
  return static_cast<size_t>(std::max(utf8proc_charwidth(static_cast<utf8proc_int32_t>(step.code)), 0));
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = next_character(text, at);
    columns += columns_of(step);
    at += step.length;
  }
  return columns;
}

std::string cut_to_width(std::string_view text, size_t columns) {
  size_t used = 0, at = 0;
  while (at < text.size()) {
    const Utf8Step step = next_character(text, at);
    used += columns_of(step);
    if (used > columns) break;
    at += step.length;
  }
  return std::string(text.substr(0, at));
}

std::string on_one_line(std::string_view text) {
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = next_character(text, at);
    const bool control = step.status == Utf8Status::kValid && (step.code < 0x20 || (step.code >= 0x7F && step.code < 0xA0));
    if (control) {
      line += ' ';
    } else {
      line += text.substr(at, step.length);
    }
    at += step.length;
  }
  return line;
}

}  // namespace grpo
