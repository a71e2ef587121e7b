#pragma once

#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// An answer to a problem as a row gives it: its text, or messages for the chat template.
struct GivenAnswer {
  std::string text;
  std::vector<Message> messages = {};  // if the text is empty
};

/// The answer in a problem's column (chosen, rejected). Messages that repeat the prompt are left out at their beginning. Throws `Error`
/// that names the problem if the column is absent, null, empty or neither text nor messages, and if messages do not begin with an
/// assistant's turn.
GivenAnswer given_answer(const Problem& problem, const std::string& column);

}  // namespace grpo
