#include "reward/tags.h"

#include <cstddef>

#include "core/utf8.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

bool is_prefilled(const Completion& completion) { return trim(completion.prompt).ends_with(kTags[0]); }

}  // namespace

std::string with_prefilled_think(const Completion& completion, bool prefilled) {
  return prefilled || is_prefilled(completion) ? std::string(kTags[0]) + completion.text : completion.text;
}

std::string_view outside_thought(std::string_view text) {
  const size_t close = text.rfind(kTags[1]);
  const std::string_view rest = close == std::string_view::npos ? text : text.substr(close + kTags[1].size());
  return rest.find(kTags[0]) == std::string_view::npos ? rest : std::string_view();
}

std::string_view outside_thought(const Completion& completion) {
  const bool is_closed = completion.text.find(kTags[1]) != std::string::npos;
  return is_prefilled(completion) && !is_closed ? std::string_view() : outside_thought(std::string_view(completion.text));
}

int single_tags(std::string_view text) {
  const std::string_view outside = outside_thought(text);
  int count = 0;
  for (const std::string_view tag : kTags) {
    const size_t first = text.find(tag);
    if (first == std::string_view::npos || text.find(tag, first + 1) != std::string_view::npos) continue;
    const bool of_answer = tag == kTags[2] || tag == kTags[3];
    count += of_answer && outside.find(tag) == std::string_view::npos ? 0 : 1;
  }
  return count;
}

bool says_nothing(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = next_character(text, at);
    if (step.status == Utf8Status::kValid && says_something(step.code)) return false;
    at += step.length;
  }
  return true;
}

}  // namespace grpo
