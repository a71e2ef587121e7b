#pragma once

#include <string>
#include <vector>

#include "math/tokens.h"
#include "math/tree.h"

namespace grpo {

struct ParsedAnswer {
  NodePtr tree;         // null where the tokens are no answer
  std::string problem;  // why not, in words
};

/// Parses a whole answer. Brackets nest 60 deep at most.
ParsedAnswer parse_answer(std::vector<Token> tokens);

}  // namespace grpo
