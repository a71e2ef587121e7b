#include <algorithm>

#include "grpo/core/error.h"
#include "grpo/data/strings.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"

namespace grpo {
namespace {

std::string token_text(const Policy& policy, const std::optional<int32_t>& id) {
  return id && policy.has_embedding(*id) ? policy.tokenizer->id_to_token(*id) : std::string();
}

void expect_prompt(bool given, const Problem& problem, const char* cause) {
  GRPO_CHECK(given, "prompt", "problem " + std::to_string(problem.index) + ": expected a prompt; got an empty prompt: " + cause);
}

const ChatTemplate& chat_template_of(const Policy& policy) {
  if (!policy.chat_template) fail_usage("prompt_template", "chat needs a chat template, and the tokenizer brings none");
  return *policy.chat_template;
}

bool is_continued(const std::vector<Message>& messages) { return messages.back().role == "assistant"; }

/// A problem's conversation with what the chat template needs for it.
struct Chat {
  std::vector<Message> messages;
  ChatTemplate::Options options;
  const ChatTemplate& chat_template;
  const std::string& tools;

  Chat(const Policy& policy, const Problem& problem, const PromptOptions& prompt)
      : messages(prompt_messages(problem, prompt)), chat_template(chat_template_of(policy)), tools(problem.tools) {
    const Tokenizer& tokenizer = *policy.tokenizer;
    options.bos_token = token_text(policy, tokenizer.bos_id());
    options.eos_token = token_text(policy, tokenizer.eos_id());
    options.pad_token = token_text(policy, tokenizer.pad_id());
    options.variables_json = chat_variables(problem, prompt);
  }

  std::string prompt() const {
    return is_continued(messages) ? chat_template.render_open(messages, options, tools).text
                                  : chat_template.render(messages, options, tools);
  }

  /// The conversation as far as `answer`, without a generation prompt.
  std::string with(const std::vector<Message>& answer) const {
    std::vector<Message> all = messages;
    all.insert(all.end(), answer.begin(), answer.end());
    ChatTemplate::Options closed = options;
    closed.add_generation_prompt = false;
    return chat_template.render(all, closed, tools);
  }

  /// What the template writes after an assistant's message; nothing where it refuses one here.
  std::string ending() const {
    std::vector<Message> all = messages;
    if (!is_continued(all)) all.push_back({"assistant", "a"});
    try {
      return chat_template.render_open(all, options, tools).ending;
    } catch (const Error&) {  // what is wrong with the prompt itself, the prompt's own rendering says
      return {};
    }
  }
};

/// How a turn ends.
struct TurnEnd {
  std::string written = {};  // all that the template writes after it
  std::string before = {};   // of it, what comes before the end token
  int32_t id = 0;            // the end token
};

/// Of what is written after a turn: the first token at which a completion ends anyway, else the first special one.
std::optional<int32_t> end_among(const std::vector<int32_t>& written, const Policy& policy) {
  std::vector<int32_t> ends;
  if (policy.model) ends = policy.model->config().eos_token_ids;
  if (policy.tokenizer->eos_id()) ends.push_back(*policy.tokenizer->eos_id());
  std::erase_if(ends, [&](int32_t id) { return !policy.has_embedding(id); });
  const auto known = std::find_first_of(written.begin(), written.end(), ends.begin(), ends.end());
  if (known != written.end()) return *known;
  const auto special =
      std::ranges::find_if(written, [&](int32_t id) { return policy.tokenizer->is_special(id) && policy.has_embedding(id); });
  return special == written.end() ? std::nullopt : std::optional(*special);
}

TurnEnd turn_end(const Policy& policy, const Problem& problem, const PromptOptions& options) {
  if (!is_chat(options)) return {.id = policy.end_id()};
  const std::string written = Chat(policy, problem, options).ending();
  const auto end = end_among(policy.tokenizer->encode(written, false), policy);
  if (!end) return {.written = written, .id = policy.end_id()};
  const size_t at = written.find(policy.tokenizer->id_to_token(*end));
  return {.written = written, .before = written.substr(0, at == std::string::npos ? 0 : at), .id = *end};
}

std::vector<int32_t> encode_turn(const Policy& policy, const Problem& problem, const std::string& text, const TurnEnd& end) {
  auto ids = policy.encode(problem, text + end.before, false);
  ids.push_back(end.id);
  return ids;
}

/// Of what the template writes for an answer. A turn with another ending (of tool calls, say) keeps it as it is.
std::vector<int32_t> encode_rendered(const Policy& policy, const Problem& problem, std::string text, const TurnEnd& end) {
  if (text.ends_with(end.written)) {
    text.resize(text.size() - end.written.size());
    return encode_turn(policy, problem, text, end);
  }
  auto ids = policy.encode(problem, text, false);
  if (ids.empty() || !policy.tokenizer->is_special(ids.back())) ids.push_back(end.id);
  return ids;
}

}  // namespace

bool Policy::has_embedding(int32_t id) const { return !model || id < model->config().vocab_size; }

std::vector<int32_t> Policy::encode(const Problem& problem, const std::string& text, bool add_special_tokens) const {
  auto ids = tokenizer->encode(text, add_special_tokens);
  const auto missing = std::ranges::find_if(ids, [this](int32_t id) { return !has_embedding(id); });
  GRPO_CHECK(missing == ids.end(), "policy",
             "problem " + std::to_string(problem.index) + ": expected text of the model's " + std::to_string(model->config().vocab_size) +
                 " tokens; got '" + tokenizer->id_to_token(*missing) + "' (id " + std::to_string(*missing) +
                 "), which the tokenizer has and the model has no embedding for");
  return ids;
}

std::string Policy::prompt_text(const Problem& problem, const PromptOptions& options) const {
  expect_prompt(!is_empty_prompt(problem), problem, "it has no text");
  return is_chat(options) ? Chat(*this, problem, options).prompt() : render_prompt(problem, options);
}

Policy::EncodedPrompt Policy::encode_prompt(const Problem& problem, const PromptOptions& options) const {
  EncodedPrompt prompt;
  prompt.text = prompt_text(problem, options);
  prompt.ids = encode(problem, prompt.text, !is_chat(options));
  expect_prompt(!trim(prompt.text).empty() && !prompt.ids.empty(), problem, "its template renders to nothing");
  return prompt;
}

std::vector<int32_t> Policy::encode_completion(const Problem& problem, const PromptOptions& options, const std::string& text) const {
  return encode_turn(*this, problem, text, turn_end(*this, problem, options));
}

Policy::EncodedPair Policy::encode_pair(const Problem& problem, const PromptOptions& options, const GivenAnswer& chosen,
                                        const GivenAnswer& rejected) const {
  const auto refuse = [&](const std::string& message) {
    fail_usage("preferences", "problem " + std::to_string(problem.index) + ": " + message);
  };
  const TurnEnd end = turn_end(*this, problem, options);
  EncodedPrompt prompt = encode_prompt(problem, options);
  const bool any_messages = !chosen.messages.empty() || !rejected.messages.empty();
  if (!any_messages) {
    return {std::move(prompt.ids), encode_turn(*this, problem, chosen.text, end), encode_turn(*this, problem, rejected.text, end)};
  }
  if (!is_chat(options)) refuse("answers that are messages need prompt_template=chat");
  if (chosen.messages.empty() || rejected.messages.empty()) refuse("expected both answers as text or both as messages");
  const Chat chat(*this, problem, options);
  if (is_continued(chat.messages)) refuse("expected answers as text after a prompt that ends with an assistant's message");
  const std::string better = chat.with(chosen.messages), worse = chat.with(rejected.messages);
  const auto begins_both = [&](const std::string& text) { return better.starts_with(text) && worse.starts_with(text); };
  if (!begins_both(prompt.text)) {
    prompt.text = chat.with({});
    prompt.ids = encode(problem, prompt.text, false);
  }
  if (!begins_both(prompt.text)) refuse("the chat template does not begin the conversation as it begins the prompt");
  return {std::move(prompt.ids), encode_rendered(*this, problem, better.substr(prompt.text.size()), end),
          encode_rendered(*this, problem, worse.substr(prompt.text.size()), end)};
}

int32_t Policy::end_id() const {
  const auto end = tokenizer->eos_id();
  if (end && has_embedding(*end)) return *end;
  GRPO_CHECK(!model->config().eos_token_ids.empty(), "policy",
             "expected an end-of-sequence token; got none that the model has, neither from the tokenizer nor from config.json");
  return model->config().eos_token_ids.front();
}

int32_t Policy::turn_end_id(const Problem& problem, const PromptOptions& options) const { return turn_end(*this, problem, options).id; }

}  // namespace grpo
