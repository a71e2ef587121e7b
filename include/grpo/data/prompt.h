#pragma once

#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/options.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// How a problem becomes a prompt.
struct PromptOptions {
  /// "r1_zero" (DeepSeek-R1, arXiv 2501.12948, table 1), "plain" (the question and a line break), "chat" (the tokenizer's chat template),
  /// or any text that contains {question}.
  std::string prompt_template = "r1_zero";
  std::string system_prompt = {};  // first message of a chat that brings none; chat only
  /// Further variables of the chat template for every problem; a problem's own come before them. Chat only.
  NamedOptions chat_template_kwargs = {};
};

/// Throws a usage error if the template is neither known nor contains {question}, or a system prompt or variables stand without
/// "chat".
void validate(const PromptOptions& options);

bool is_chat(const PromptOptions& options);

/// Whether the problem has no text to ask: its question is white space, if it has any, and so is every message.
bool is_empty_prompt(const Problem& problem);

/// The prompt's text under a text template. Throws for "chat", for a problem without a question and for one with tools or variables of the
/// chat template.
std::string render_prompt(const Problem& problem, const PromptOptions& options);

/// The conversation under "chat": the problem's messages, or its question as one user turn, after the system prompt.
std::vector<Message> prompt_messages(const Problem& problem, const PromptOptions& options);

/// The further variables of the chat template as a JSON object: the problem's own, and of the options those that it does not set. Empty
/// if there are none.
std::string chat_variables(const Problem& problem, const PromptOptions& options);

}  // namespace grpo
