#include "grpo/text/chat_template.h"

#include "grpo/core/error.h"
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

std::string render_with(const jinja::Body& body, Value messages, Value tools, const ChatTemplate::Options& options) {
  jinja::Variables variables = variables_of(options);
  variables.insert_or_assign("messages", std::move(messages));
  variables.insert_or_assign("tools", std::move(tools));
  variables.insert_or_assign("add_generation_prompt", Value(options.add_generation_prompt));
  return jinja::Interpreter(std::move(variables)).render(body);
}

}  // namespace

struct ChatTemplate::Impl {
  jinja::Body body;
};

ChatTemplate::ChatTemplate(const std::string& source) : impl_(std::make_unique<Impl>(Impl{jinja::parse(source)})) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(const std::vector<Message>& messages, const Options& options) const {
  std::vector<Value> values;
  for (const Message& message : messages) {
    Dict value;
    value.set(Value(std::string("role")), Value(message.role));
    value.set(Value(std::string("content")), Value(message.content));
    values.push_back(dict_of(std::move(value)));
  }
  return render_with(impl_->body, list_of(std::move(values)), Value(), options);
}

std::string ChatTemplate::render_json(const std::string& messages_json, const std::string& tools_json, const Options& options) const {
  return render_with(impl_->body, parse_messages(messages_json), parse_tools(tools_json), options);
}

}  // namespace grpo
