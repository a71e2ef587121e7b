#include "grpo/reward/answer.h"

#include "grpo/data/strings.h"
#include "grpo/data/types.h"
#include "math/latex.h"
#include "reward/lenient.h"
#include "reward/tags.h"

namespace grpo {
namespace {

std::optional<std::string_view> last_answer_tag(std::string_view text) {
  constexpr std::string_view kOpen = "<answer>", kClose = "</answer>";
  const size_t last_close = text.rfind(kClose);
  if (last_close == std::string_view::npos) return std::nullopt;
  const size_t open = text.substr(0, last_close).rfind(kOpen);
  if (open == std::string_view::npos) return std::nullopt;
  const size_t begin = open + kOpen.size();
  return text.substr(begin, text.find(kClose, begin) - begin);
}

/// What a box without braces holds: all up to white space or the end of the formula, "\boxed\frac12$".
std::optional<std::string_view> bare_box(std::string_view rest) {
  std::string_view content = trim(rest);
  if (content.empty() || (is_ascii_letter(content.front()) && content.data() == rest.data())) return std::nullopt;  // another command
  const size_t end = content.find_first_of(" \t\n\r$");
  content = content.substr(0, end);
  while (!content.empty() && (content.back() == '.' || content.back() == ',')) content.remove_suffix(1);
  return content;
}

std::optional<std::string_view> last_boxed(std::string_view text) {
  size_t at = std::string_view::npos;
  std::string_view name;
  for (const std::string_view box : kBoxes) {
    const size_t found = text.rfind(box);
    if (found != std::string_view::npos && (at == std::string_view::npos || found > at)) at = found, name = box;
  }
  if (at == std::string_view::npos) return std::nullopt;
  size_t open = at + name.size();
  while (open < text.size() && is_space(text[open])) ++open;
  if (open == text.size()) return std::nullopt;
  if (text[open] != '{') return bare_box(text.substr(at + name.size()));
  const size_t close = closing_brace(text, open);
  if (close == std::string_view::npos) return std::nullopt;
  return text.substr(open + 1, close - open - 1);
}

std::optional<std::string_view> last_hash(std::string_view text) {
  const size_t at = text.rfind("####");
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + 4);
  return rest.substr(0, rest.find('\n'));
}

/// A minus sign counts where no digit stands before it: "8-2" ends in 2, "= -2" in -2.
std::optional<std::string_view> last_integer(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  const size_t last = text.find_last_of(kDigits);
  if (last == std::string_view::npos) return std::nullopt;
  const size_t before = text.find_last_not_of(kDigits, last);
  size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const bool minus = begin > 0 && text[begin - 1] == '-';
  if (minus && (begin == 1 || !is_digit(text[begin - 2]))) --begin;
  return text.substr(begin, last + 1 - begin);
}

std::optional<std::string_view> marked_answer(std::string_view text) {
  auto found = last_boxed(text);
  if (!found) found = last_answer_tag(text);
  return found ? found : last_hash(text);
}

}  // namespace

std::optional<std::string> extract_answer(std::string_view completion, Extraction extraction) {
  const std::string_view text = outside_thought(completion);
  std::optional<std::string_view> found;
  switch (extraction) {
    case Extraction::kAnswerTag:
      found = last_answer_tag(text);
      break;
    case Extraction::kBoxed:
      found = last_boxed(text);
      break;
    case Extraction::kHash:
      found = last_hash(text);
      break;
    case Extraction::kAny:
      found = marked_answer(text);
      break;
    case Extraction::kLenient:
      found = marked_answer(text);
      found = lenient_answer(found.value_or(text), found.has_value());
      break;
    case Extraction::kLastInteger:
      found = last_integer(text);
  }
  if (!found || trim(*found).empty()) return std::nullopt;
  return std::string(trim(*found));
}

std::string gold_answer(std::string_view text) {
  if (const auto boxed = last_boxed(text)) return std::string(trim(*boxed));
  if (const auto hashed = last_hash(text)) return std::string(trim(*hashed));
  return std::string(trim(text));
}

std::vector<std::string> gold_answers(const Problem& problem) {
  std::vector<std::string> golds;
  for (const std::string& answer : problem.answers()) {
    std::string gold = gold_answer(answer);
    if (!gold.empty()) golds.push_back(std::move(gold));
  }
  return golds;
}

}  // namespace grpo
