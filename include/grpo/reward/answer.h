#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

struct Problem;

/// Where a final answer is looked for: behind the last </think>, and nowhere if a <think> follows. Each takes the last one.
enum class Extraction {
  kAnswerTag,  // <answer>…</answer>, line breaks allowed
  kBoxed,      // \boxed{…} with counted braces, \fbox{…}, or \boxed with a digit, a letter or a fraction behind it; a last one that is
               // not closed is no answer
  kHash,       // the rest of the line after ####
  kAny,        // the first of \boxed, <answer> and #### that is there
  kLenient,  // kAny; else, and where that is a sentence, what follows "the answer is", the last formula or the last number: for evaluation
  kLastInteger,  // the last run of digits anywhere, with its sign: for evaluation
};

/// The trimmed final answer; nothing if there is none or it is empty. `completion` is never the prompt, which may hold an example.
std::optional<std::string> extract_answer(std::string_view completion, Extraction extraction);

/// A reference answer as datasets have it: the content of its last \boxed, else what follows its last ####, else the whole text.
std::string gold_answer(std::string_view text);

/// That of each of a problem's right answers; empty ones are left out.
std::vector<std::string> gold_answers(const Problem& problem);

}  // namespace grpo
