#include "grpo/text/chat_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"
#include "jinja/format.h"
#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace grpo {
namespace {

using jinja::Dict;
using jinja::Value;

Value list_of(std::vector<Value> items) {
  return Value(Value::Data(std::shared_ptr<const jinja::Sequence>(jinja::make_sequence(std::move(items), false))));
}

Value dict_of(Dict items) { return Value(Value::Data(std::make_shared<const Dict>(std::move(items)))); }

/// transformers drops the keys of a message whose value is null.
Value without_nulls(const Value& message) {
  Dict kept;
  for (const auto& [key, value] : message.dict()->items()) {
    if (!value.is_none()) kept.set(key, value);
  }
  return dict_of(std::move(kept));
}

Value message_of(const Message& message) {
  Dict value;
  value.set(Value(std::string("role")), Value(message.role));
  value.set(Value(std::string("content")), Value(message.content));
  if (message.members.empty()) return dict_of(std::move(value));
  const Value members = jinja::parse_json(message.members, "chat_template");
  GRPO_CHECK(members.dict(), "chat_template", std::string("expected a message's members as a JSON object; got ") + members.type_name());
  for (const auto& [key, member] : members.dict()->items()) value.set(key, member);
  return without_nulls(dict_of(std::move(value)));
}

Value messages_of(const std::vector<Message>& messages) {
  std::vector<Value> values;
  for (const Message& message : messages) values.push_back(message_of(message));
  return list_of(std::move(values));
}

/// Puts `mark` at the end of the message's text; gives what was there (of a list of parts, the last one's).
std::string append_to_text(Message& message, const std::string& mark) {
  using json = nlohmann::ordered_json;
  json members = message.members.empty() ? json::object() : try_parse_json<json>(message.members);
  GRPO_CHECK(members.is_object(), "chat_template", "expected a message's members as a JSON object");
  const bool calls = members.contains("tool_calls") && !members["tool_calls"].empty();
  GRPO_CHECK(!calls, "chat_template", "expected a last message that can be continued; got one with tool calls");
  const auto content = members.find("content");
  if (content == members.end()) {
    std::string text = message.content;
    message.content += mark;
    return text;
  }
  const auto part =
      std::find_if(content->rbegin(), content->rend(), [](const json& p) { return p.contains("text") && p["text"].is_string(); });
  GRPO_CHECK(content->is_array() && part != content->rend(), "chat_template",
             "expected a last message that can be continued; got one without text");
  auto text = (*part)["text"].get<std::string>();
  (*part)["text"] = text + mark;
  message.members = to_text(members);
  return text;
}

/// A text that no message has.
std::string new_mark(const std::vector<Message>& messages) {
  std::string mark = "TEXT-ENDS-HERE";
  const auto contains_mark = [&mark](const Message& m) { return (m.content + m.members).find(mark) != std::string::npos; };
  while (std::any_of(messages.begin(), messages.end(), contains_mark)) mark += '.';
  return mark;
}

void erase_all(std::string& text, const std::string& part) {
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) text.erase(at, part.size());
}

size_t trailing_spaces(std::string_view text) {
  const auto last = std::find_if_not(text.rbegin(), text.rend(), is_space);
  return static_cast<size_t>(last - text.rbegin());
}

Value parse_messages(const std::string& json) {
  const Value given = jinja::parse_json(json, "chat_template");
  GRPO_CHECK(given.sequence(), "chat_template", std::string("expected messages as a JSON array; got ") + given.type_name());
  std::vector<Value> messages;
  for (const Value& message : given.sequence()->items) {
    GRPO_CHECK(message.dict(), "chat_template", std::string("expected every message as a JSON object; got ") + message.type_name());
    messages.push_back(without_nulls(message));
  }
  return list_of(std::move(messages));
}

Value parse_tools(const std::string& json) {
  if (json.empty()) return Value();
  Value tools = jinja::parse_json(json, "chat_template");
  GRPO_CHECK(tools.sequence() || tools.is_none(), "chat_template", std::string("expected tools as a JSON array; got ") + tools.type_name());
  return tools;
}

/// What every template sees besides the messages. A token that is empty stays undefined, as in transformers.
jinja::Variables variables_of(const ChatTemplate::Options& options) {
  jinja::Variables variables{{"documents", Value()}};
  for (const auto& [name, token] : {std::pair{"bos_token", &options.bos_token},
                                    {"eos_token", &options.eos_token},
                                    {"pad_token", &options.pad_token},
                                    {"unk_token", &options.unk_token}}) {
    if (!token->empty()) variables.emplace(name, Value(*token));
  }
  if (options.variables_json.empty()) return variables;
  const Value further = jinja::parse_json(options.variables_json, "chat_template");
  GRPO_CHECK(further.dict(), "chat_template", std::string("expected further variables as a JSON object; got ") + further.type_name());
  for (const auto& [name, value] : further.dict()->items()) variables.insert_or_assign(*name.text(), value);
  return variables;
}

std::string render_with(const jinja::Template& parsed, Value messages, Value tools, const ChatTemplate::Options& options) {
  jinja::Variables variables = variables_of(options);
  variables.insert_or_assign("messages", std::move(messages));
  variables.insert_or_assign("tools", std::move(tools));
  variables.insert_or_assign("add_generation_prompt", Value(options.add_generation_prompt));
  return jinja::Interpreter(std::move(variables)).render(parsed);
}

}  // namespace

struct ChatTemplate::Impl {
  jinja::Template parsed;
  std::optional<Error> fault = {};

  const jinja::Template& body() const {
    if (fault) throw Error(*fault);
    return parsed;
  }
};

ChatTemplate::ChatTemplate(const std::string& source) : impl_(std::make_unique<Impl>(Impl{jinja::parse(source)})) {}

ChatTemplate ChatTemplate::of_model(const std::string& source) {
  try {
    return ChatTemplate(source);
  } catch (const Error& error) {
    ChatTemplate broken("");
    broken.impl_->fault = error;
    return broken;
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(const std::vector<Message>& messages, const Options& options, const std::string& tools_json) const {
  return render_with(impl_->body(), messages_of(messages), parse_tools(tools_json), options);
}

ChatTemplate::OpenEnd ChatTemplate::render_open(const std::vector<Message>& messages, const Options& options,
                                                const std::string& tools_json) const {
  GRPO_CHECK(!messages.empty(), "chat_template", "expected a last message that can be continued; got no messages");
  const std::string mark = new_mark(messages);
  std::vector<Message> marked = messages;
  const std::string last = append_to_text(marked.back(), mark + "\t");  // the tab shows whether the template trims messages
  Options closed = options;
  closed.add_generation_prompt = false;
  const std::string text = render(marked, closed, tools_json);
  const size_t at = text.rfind(mark);
  GRPO_CHECK(at != std::string::npos, "chat_template", "expected a template that shows the last message; got one that leaves it out");
  GRPO_CHECK(trim(std::string_view(text).substr(0, at)).ends_with(trim(last)), "chat_template",
             "expected a template that shows the last message as it is; got one that changes it");
  OpenEnd end{text.substr(0, at), text.substr(at + mark.size())};
  for (const std::string& shown : {mark + "\t", mark}) erase_all(end.text, shown);  // where the template shows the message twice
  if (end.ending.starts_with('\t')) {
    end.ending.erase(0, 1);
  } else {
    const size_t spaces = std::min(trailing_spaces(last), trailing_spaces(end.text));
    end.text.resize(end.text.size() - spaces);
  }
  return end;
}

std::string ChatTemplate::render_json(const std::string& messages_json, const std::string& tools_json, const Options& options) const {
  return render_with(impl_->body(), parse_messages(messages_json), parse_tools(tools_json), options);
}

}  // namespace grpo
