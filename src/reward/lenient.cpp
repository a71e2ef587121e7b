#include "reward/lenient.h"

#include <algorithm>
#include <string>

#include "grpo/data/strings.h"
#include "grpo/math/verify.h"
#include "math/latex.h"

namespace grpo {
namespace {

bool is_value(std::string_view text) {
  const MathAnswer answer(text);
  return answer.readable() && answer.is_mathematics();
}

/// Two words side by side, and a number that they may be about.
bool is_sentence(std::string_view text) {
  int words = 0, letters = 0;
  for (const char c : std::string(text) + ' ') {
    const bool letter = is_ascii_letter(c);
    words += !letter && letters > 1 && is_space(c) ? 1 : 0;
    letters = letter ? letters + 1 : 0;
  }
  return words > 1 && text.find_first_of("0123456789") != std::string_view::npos;
}

/// What follows the last "answer is" or "answer:", up to the end of its sentence.
std::optional<std::string_view> after_phrase(std::string_view text) {
  const std::string lower = lower_case(text);
  size_t begin = std::string::npos;
  for (const std::string_view phrase : {"answer is", "answer:", "answer:**", "answer**:"}) {
    const size_t at = lower.rfind(phrase);
    if (at != std::string::npos && (begin == std::string::npos || at + phrase.size() > begin)) begin = at + phrase.size();
  }
  if (begin == std::string::npos) return std::nullopt;
  std::string_view rest = trim(text.substr(begin));
  if (rest.starts_with(':')) rest = trim(rest.substr(1));
  rest = rest.substr(0, rest.find('\n'));
  if (const size_t stop = rest.find(". "); stop != std::string_view::npos) rest = rest.substr(0, stop);
  return trim(rest);
}

/// Within the last $…$, \(…\) or \[…\]: the right-hand side of its last equals sign.
std::optional<std::string_view> last_formula(std::string_view text) {
  std::string_view found;
  for (const auto& [open, close] : {std::pair{std::string_view("\\("), std::string_view("\\)")}, {"\\[", "\\]"}, {"$", "$"}}) {
    const size_t end = text.rfind(close);
    if (end == std::string_view::npos || end == 0) continue;
    const size_t begin = text.substr(0, end).rfind(open);
    if (begin == std::string_view::npos) continue;
    const std::string_view inside = text.substr(begin + open.size(), end - begin - open.size());
    if (found.empty() || inside.data() > found.data()) found = inside;
  }
  if (trim(found).empty()) return std::nullopt;
  if (const size_t sign = found.rfind('='); sign != std::string_view::npos) found.remove_prefix(sign + 1);
  return trim(found);
}

bool belongs_to_number(char c) { return is_digit(c) || c == '.' || c == ',' || c == '/'; }

/// With its sign, decimals, groups, currency and percent sign.
std::optional<std::string_view> last_number(std::string_view text) {
  const size_t last = text.find_last_of("0123456789");
  if (last == std::string_view::npos) return std::nullopt;
  size_t begin = last, end = last + 1;
  while (begin > 0 && belongs_to_number(text[begin - 1])) --begin;
  while (begin < last && !is_digit(text[begin]) && text[begin] != '.') ++begin;
  if (begin > 0 && text[begin - 1] == '$') --begin;
  if (begin > 0 && text[begin - 1] == '\\') --begin;
  const bool minus = begin > 0 && text[begin - 1] == '-' && (begin == 1 || !(is_digit(text[begin - 2]) || text[begin - 2] == ')'));
  if (minus) --begin;
  if (end < text.size() && text[end] == '%') ++end;
  return text.substr(begin, end - begin);
}

}  // namespace

std::optional<std::string_view> lenient_answer(std::string_view text, bool marked) {
  if (marked && (!is_sentence(text) || is_value(text))) return text;
  if (const auto phrase = after_phrase(text)) {
    if (is_value(*phrase)) return phrase;
    text = *phrase;
  }
  const auto formula = last_formula(text);
  const auto number = last_number(text);
  // the one that stands further back
  if (formula && is_value(*formula) && (!number || number->data() < formula->data() + formula->size())) return formula;
  return number;
}

}  // namespace grpo
