#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

struct Problem;

/// Where a final answer is looked for. Each takes the last one in the text.
enum class Extraction {
  kAnswerTag,    // <answer>…</answer>, line breaks allowed
  kBoxed,        // \boxed{…} with counted braces; an unmatched last one is no answer
  kHash,         // the rest of the line after ####
  kAny,          // the first of these, in this order, that is there
  kLastInteger,  // the last run of digits anywhere, with its sign: for lenient evaluation, not for training
};

/// The trimmed final answer; nothing if there is none or it is empty. `text` is a completion, never the prompt, which may hold an
/// example.
std::optional<std::string> extract_answer(std::string_view text, Extraction extraction);

/// A reference answer as datasets have it: the content of its last \boxed, else what follows its last ####, else the whole text.
std::string gold_answer(std::string_view text);

/// That of each of a problem's right answers; empty ones are left out.
std::vector<std::string> gold_answers(const Problem& problem);

/// Whether two final answers agree: exactly as rationals if both are numbers, else as text with white space normalised.
///
/// A number is what `parse_number` reads or \frac{a}{b} of two such; so 72. = 72, 033 = 33, 1,000 = 1000, 27.0 = 27, 1/2 = 0.5 and 50% =
/// 0.5, but never 0.5 = 50. Surrounding $…$ or \boxed{…}, a full stop at the end and LaTeX spacing do not count. A number may carry a unit,
/// a currency sign before it or one word of at least two letters after it that does not change its value ("dozen", "half", … do): it is
/// ignored if the other side has none and compared if both have one.
bool answers_equal(std::string_view gold, std::string_view prediction);

/// Of several right answers the first that the prediction equals; nothing if it equals none.
std::optional<std::string> equal_answer(const std::vector<std::string>& golds, std::string_view prediction);

}  // namespace grpo
