#pragma once

#include <string>
#include <vector>

#include "grpo/data/types.h"

namespace grpo {

/// How a problem becomes a prompt.
struct PromptOptions {
  /// "r1_zero" (DeepSeek-R1, arXiv 2501.12948, table 1), "plain" (the question and a line break), "chat" (the tokenizer's chat template),
  /// or any text that contains {question}.
  std::string prompt_template = "r1_zero";
  std::string system_prompt = {};  // first message of a chat that brings none; chat only
};

/// Throws a usage error where the template is neither known nor contains {question}, or a system prompt stands without "chat".
void validate(const PromptOptions& options);

bool is_chat(const PromptOptions& options);

/// The prompt's text under a text template. Throws for "chat" and for a problem without a question.
std::string render_prompt(const Problem& problem, const PromptOptions& options);

/// The conversation under "chat": the problem's messages, or its question as one user turn, after the system prompt.
std::vector<Message> prompt_messages(const Problem& problem, const PromptOptions& options);

}  // namespace grpo
