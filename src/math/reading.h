#pragma once

#include <string>

#include "grpo/math/verify.h"
#include "math/tree.h"

namespace grpo {

/// What stands behind a MathAnswer.
struct Reading {
  std::string text;      // without its wrappers
  std::string key;       // the tokens in a row: equal keys are equal answers
  std::string words;     // of a text answer, in lower case
  std::string problem;   // why nothing can be compared with it
  std::string unparsed;  // why there is no tree
  NodePtr tree;          // null for what is compared by its key alone
};

struct MathAnswers {
  static const Reading& reading(const MathAnswer& answer) { return *answer.reading_; }
};

Reading read(std::string_view text);

/// The choice that an answer names: "B" for "B", "(b)", "\textbf{(B)}", "(B) 25"; 0 for others. `lone`: only the capital letter itself.
char choice_of(const Reading& reading, bool lone);

}  // namespace grpo
