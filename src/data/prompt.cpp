#include "grpo/data/prompt.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json.h"
#include "data/messages.h"
#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

constexpr std::string_view kQuestion = "{question}";
constexpr std::string_view kChat = "chat";

struct NamedTemplate {
  std::string_view name, text;
};
constexpr std::array kTemplates = {
    NamedTemplate{
        "r1_zero",
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks "
        "about the reasoning process in the mind and then provides the user with the answer. The reasoning process and answer are "
        "enclosed within <think>...</think> and <answer>...</answer> tags, respectively, i.e., <think> reasoning process here </think> "
        "<answer> answer here </answer>. User: {question}. Assistant:"},
    NamedTemplate{"plain", "{question}\n"},
};

/// The text behind a template's name, or the user's own text; nothing where it is neither.
std::optional<std::string_view> find_template(const std::string& given) {
  for (const auto& [name, text] : kTemplates) {
    if (given == name) return text;
  }
  if (given.find(kQuestion) != std::string::npos) return given;
  return std::nullopt;
}

void check_variables(const PromptOptions& options) {
  if (!options.chat_template_kwargs.empty() && !is_chat(options))
    fail_usage("chat_template_kwargs", "expected prompt_template=chat with variables of the chat template; got a text template");
  for (const auto& [name, value] : options.chat_template_kwargs) {
    if (is_reserved_variable(name)) fail_usage("chat_template_kwargs", "expected further variables; got '" + name + "'");
    if (!is_json(value)) fail_usage("chat_template_kwargs", "expected JSON as the value of '" + name + "'; got " + clip_text(value, 80));
  }
}

bool is_given(const std::string& column) { return !column.empty() && column != "[]" && column != "{}"; }

}  // namespace

bool is_chat(const PromptOptions& options) { return options.prompt_template == kChat; }

void validate(const PromptOptions& options) {
  check_variables(options);
  if (is_chat(options)) return;
  if (!find_template(options.prompt_template)) {
    std::vector<std::string> names{std::string(kChat)};
    for (const auto& [name, text] : kTemplates) names.emplace_back(name);
    fail_usage("prompt_template", "expected r1_zero, plain, chat or a text that contains {question}; got '" +
                                      clip_text(options.prompt_template, 80) + "'" + did_you_mean(options.prompt_template, names));
  }
  if (!options.system_prompt.empty())
    fail_usage("system_prompt", "expected prompt_template=chat with a system prompt; got a text template");
}

bool is_empty_prompt(const Problem& problem) {
  const auto says_nothing = [](const Message& message) { return trim(message.content).empty() && message.members.empty(); };
  return trim(problem.question).empty() && std::ranges::all_of(problem.messages, says_nothing);
}

std::string render_prompt(const Problem& problem, const PromptOptions& options) {
  validate(options);
  GRPO_CHECK(!is_chat(options), "render_prompt", "expected a text template; got chat, which is rendered by the tokenizer's template");
  GRPO_CHECK(!is_empty_prompt(problem), "render_prompt", "expected a question; got an empty prompt");
  GRPO_CHECK(!problem.question.empty(), "render_prompt",
             "expected a question; got a problem of messages, which needs prompt_template=chat");
  GRPO_CHECK(!is_given(problem.tools) && !is_given(problem.chat_template_kwargs), "render_prompt",
             "expected a question alone; got a problem with tools or chat_template_kwargs, which need prompt_template=chat");
  std::string_view rest = *find_template(options.prompt_template);
  std::string prompt;
  for (size_t at = rest.find(kQuestion); at != std::string_view::npos; at = rest.find(kQuestion)) {
    prompt.append(rest.substr(0, at)).append(problem.question);
    rest.remove_prefix(at + kQuestion.size());
  }
  return prompt.append(rest);
}

std::vector<Message> prompt_messages(const Problem& problem, const PromptOptions& options) {
  GRPO_CHECK(is_chat(options), "prompt_messages", "expected prompt_template=chat; got a text template");
  std::vector<Message> messages = problem.messages;
  if (messages.empty()) messages.push_back({"user", problem.question});
  const bool brings_system = messages.front().role == "system";
  if (!options.system_prompt.empty() && !brings_system) messages.insert(messages.begin(), {"system", options.system_prompt});
  return messages;
}

std::string chat_variables(const Problem& problem, const PromptOptions& options) {
  if (options.chat_template_kwargs.empty()) return problem.chat_template_kwargs;
  auto variables = nlohmann::ordered_json::object();
  for (const auto& [name, value] : options.chat_template_kwargs) variables[name] = parse_json<nlohmann::ordered_json>(value);
  if (!problem.chat_template_kwargs.empty()) variables.update(parse_json<nlohmann::ordered_json>(problem.chat_template_kwargs));
  return to_text(variables);
}

}  // namespace grpo
