#include "grpo/reward/answer.h"

#include <algorithm>
#include <array>

#include "grpo/data/strings.h"
#include "grpo/data/types.h"
#include "grpo/reward/rational.h"

namespace grpo {
namespace {

constexpr int kMaxWrappings = 8;  // $\boxed{…}$. and the like: deeper nesting is left as it is

/// The end of the group whose opening brace is text[open], exclusive of its closing brace; npos where it is not closed.
size_t closing_brace(std::string_view text, size_t open) {
  int64_t depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

std::optional<std::string_view> last_answer_tag(std::string_view text) {
  constexpr std::string_view kOpen = "<answer>", kClose = "</answer>";
  const size_t last_close = text.rfind(kClose);
  if (last_close == std::string_view::npos) return std::nullopt;
  const size_t open = text.substr(0, last_close).rfind(kOpen);
  if (open == std::string_view::npos) return std::nullopt;
  const size_t begin = open + kOpen.size();
  return text.substr(begin, text.find(kClose, begin) - begin);
}

std::optional<std::string_view> last_boxed(std::string_view text) {
  constexpr std::string_view kBoxed = "\\boxed";
  const size_t at = text.rfind(kBoxed);
  if (at == std::string_view::npos) return std::nullopt;
  size_t open = at + kBoxed.size();
  while (open < text.size() && is_space(text[open])) ++open;
  if (open == text.size() || text[open] != '{') return std::nullopt;
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

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string result;
  size_t begin = 0;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, begin)) {
    result.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  text = result.append(text, begin);
}

/// Takes off one layer of $…$, \boxed{…} or a full stop. False where there is none.
bool unwrap(std::string_view& text) {
  constexpr std::string_view kBoxed = "\\boxed{";
  const std::string_view before = text;
  if (text.size() > 1 && text.ends_with('.') && !text.ends_with("..")) {
    text.remove_suffix(1);
  } else if (text.size() > 2 && text.starts_with('$') && text.find('$', 1) == text.size() - 1 && !text.ends_with("\\$")) {
    text = text.substr(1, text.size() - 2);
  } else if (text.starts_with(kBoxed) && closing_brace(text, kBoxed.size() - 1) == text.size() - 1) {
    text = text.substr(kBoxed.size(), text.size() - kBoxed.size() - 1);
  }
  text = trim(text);
  return text.size() != before.size();
}

std::string clean(std::string_view answer) {
  std::string_view text = trim(answer);
  for (int i = 0; i < kMaxWrappings && unwrap(text); ++i) continue;
  return collapse_white_space(text);
}

struct Quantity {
  Rational value;
  std::string unit;  // empty where there is none
};

/// \frac{a}{b} with a sign before it, or a plain number.
std::optional<Rational> read_number(std::string_view text) {
  constexpr std::string_view kFraction = "\\frac{";
  const size_t at = text.find(kFraction);
  if (at == std::string_view::npos) return parse_number(text);
  const std::string_view sign = trim(text.substr(0, at));
  const size_t numerator_end = closing_brace(text, at + kFraction.size() - 1);
  if (!(sign.empty() || sign == "-" || sign == "+") || numerator_end == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(numerator_end + 1);
  if (!rest.starts_with('{') || closing_brace(rest, 0) != rest.size() - 1) return std::nullopt;
  const size_t begin = at + kFraction.size();
  const auto numerator = parse_number(text.substr(begin, numerator_end - begin));
  const auto denominator = parse_number(rest.substr(1, rest.size() - 2));
  const auto value = numerator && denominator ? divide(*numerator, *denominator) : std::nullopt;
  return value && sign == "-" ? subtract(0, *value) : value;
}

/// Words after a number that make another number of it, or that leave open what is meant.
bool changes_value(std::string_view word) {
  static constexpr std::array<std::string_view, 20> kWords = {"dozen",   "hundred", "thousand", "million", "billion", "trillion", "percent",
                                                              "half",    "halve",   "third",    "quarter", "fourth",  "fifth",    "sixth",
                                                              "seventh", "eighth",  "ninth",    "tenth",   "pi",      "score"};
  if (word.ends_with('s')) word.remove_suffix(1);
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end() || word.ends_with("dredth") || word.ends_with("sandth") ||
         word.ends_with("lionth");
}

/// Splits a currency sign or a unit word off `text`.
std::string take_unit(std::string& text) {
  for (const std::string_view currency : {"$", "€", "£"}) {
    const size_t at = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
    if (!std::string_view(text).substr(at).starts_with(currency)) continue;
    text.erase(at, currency.size());
    return std::string(currency);
  }
  const size_t space = text.rfind(' ');
  if (space == std::string::npos) return {};
  std::string word = text.substr(space + 1);
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool is_word = word.size() >= 2 && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!is_word || changes_value(word)) return {};
  text.erase(space);
  return word;
}

std::optional<Quantity> read_quantity(std::string text) {
  for (const std::string_view space : {"\\!", "\\,", "\\;", "\\:"}) replace_all(text, space, "");
  replace_all(text, "\\%", "%");
  replace_all(text, "\\$", "$");
  replace_all(text, "\\dfrac", "\\frac");
  replace_all(text, "\\tfrac", "\\frac");
  std::string unit = take_unit(text);
  const auto value = read_number(text);
  if (!value) return std::nullopt;
  return Quantity{*value, std::move(unit)};
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

}  // namespace

std::optional<std::string> extract_answer(std::string_view text, Extraction extraction) {
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
      found = last_answer_tag(text);
      if (!found) found = last_boxed(text);
      if (!found) found = last_hash(text);
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

bool answers_equal(std::string_view gold, std::string_view prediction) {
  const std::string wanted = clean(gold), given = clean(prediction);
  if (wanted == given) return true;
  const auto a = read_quantity(wanted), b = read_quantity(given);
  if (!a || !b || a->value != b->value) return false;
  return a->unit.empty() || b->unit.empty() || a->unit == b->unit;
}

std::optional<std::string> equal_answer(const std::vector<std::string>& golds, std::string_view prediction) {
  const auto found = std::ranges::find_if(golds, [prediction](const std::string& gold) { return answers_equal(gold, prediction); });
  return found == golds.end() ? std::nullopt : std::optional(*found);
}

}  // namespace grpo
