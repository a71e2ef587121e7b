#include "jinja/interpreter.h"

#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/interpreter_scopes.h"

namespace grpo::jinja {

Interpreter::Interpreter(Variables variables) : given_(std::make_shared<Scope>()), top_(child_of(given_)), scope_(top_) {
  given_->variables = std::move(variables);
}

Interpreter::~Interpreter() {
  for (const ScopePtr& scope : captured_) scope->variables.clear();
}

std::string Interpreter::render(const Template& parsed) {
  unset(parsed.unset);
  execute(parsed.body);
  return std::move(out_);
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const Statement& statement : body) {
    const Flow flow = execute(statement);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  context_.at = statement.at;
  context_.charge(1);
  const Nested nested(*this);
  return std::visit([this](const auto& node) { return run(node); }, statement.node);
}

void Interpreter::write(std::string_view text) {
  if (out_.size() + text.size() > kMaxOutput) context_.fail("the output exceeds 64 MiB");
  context_.charge_bytes(text.size());
  out_ += text;
}

Interpreter::Flow Interpreter::run(const TextStatement& statement) {
  write(statement.text);
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const OutputStatement& statement) {
  const Value value = evaluate(*statement.value);
  if (const std::string* text = value.text()) {
    write(*text);
  } else {
    write(to_text(context_, value));
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const IfStatement& statement) {
  for (const auto& [condition, body] : statement.branches) {
    if (evaluate(*condition).truthy()) return execute(body);
  }
  return execute(statement.otherwise);
}

std::vector<Value> Interpreter::loop_items(const ForStatement& statement) {
  std::vector<Value> items = iterate(context_, evaluate(*statement.items));
  if (!statement.filter) return items;
  std::vector<Value> kept;
  for (const Value& item : items) {
    const Entered entered(*this, child_of(scope_));
    assign(statement.target, item);
    if (evaluate(*statement.filter).truthy()) kept.push_back(item);
  }
  return kept;
}

Interpreter::Flow Interpreter::run(const ForStatement& statement) {
  const std::shared_ptr<const Sequence> items = make_sequence(loop_items(statement), false);
  const auto memory = std::make_shared<LoopMemory>();
  const LoopEnd end(*memory);
  bool completed = false;  // as in Jinja2, `else` runs unless some iteration reached its end
  for (size_t i = 0; i < items->items.size(); ++i) {
    const Entered entered(*this, child_of(scope_));
    scope_->variables.insert_or_assign("loop", Value(Value::Data(std::make_shared<const Loop>(Loop{items, i, memory}))));
    assign(statement.target, items->items[i]);
    unset(statement.unset);
    const Flow flow = execute(statement.body);
    if (flow == Flow::kBreak) break;
    completed |= flow == Flow::kNormal;
  }
  if (completed) return Flow::kNormal;
  const Entered entered(*this, child_of(scope_));
  unset(statement.otherwise_unset);
  return execute(statement.otherwise);
}

Interpreter::Flow Interpreter::run(const SetStatement& statement) {
  assign(statement.target, evaluate(*statement.value));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const SetBlockStatement& statement) {
  assign(statement.target, capture(statement.body, statement.unset, child_of(scope_)));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const MacroStatement& statement) {
  scope_->variables.insert_or_assign(statement.name, macro(statement));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const CallStatement& statement) {
  Arguments given = arguments(*statement.call);
  given.named.emplace_back("caller", macro(statement.caller));
  write(to_text(context_, call_with(*statement.call, std::move(given))));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const WithStatement& statement) {
  std::vector<Value> values;
  for (const SetStatement& assignment : statement.assignments) values.push_back(evaluate(*assignment.value));
  const Entered entered(*this, child_of(scope_));
  unset(statement.unset);
  for (size_t i = 0; i < values.size(); ++i) assign(statement.assignments[i].target, values[i]);
  return execute(statement.body);
}

Interpreter::Flow Interpreter::run(const FilterStatement& statement) {
  const ScopePtr scope = child_of(scope_);
  const Value printed = capture(statement.body, statement.unset, scope);
  const Entered entered(*this, scope);
  scope->variables.insert_or_assign(FilterStatement::kBodyName, printed);
  write(to_text(context_, evaluate(*statement.filtered)));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run(const BlockStatement& statement) {
  const ScopePtr scope = child_of(statement.scoped ? scope_ : given_);
  if (!statement.scoped) {  // what the template has set by now; what it sets later hides nothing from a block
    context_.charge(static_cast<int64_t>(top_->variables.size()));
    for (const auto& [name, value] : top_->variables) {
      if (!value.is_undefined()) scope->variables.emplace(name, value);
    }
  }
  const Entered entered(*this, child_of(scope));
  unset(statement.unset);
  return execute(statement.body);
}

void Interpreter::unset(const Names& names) {
  for (const std::string& name : names) {
    context_.charge(1);
    const bool is_given = given_->variables.contains(name) || globals().contains(name);
    if (is_given) scope_->variables.emplace(name, Value::undefined("'" + name + "' is undefined"));
  }
}

void Interpreter::assign(const Target& target, const Value& value) {
  if (!target.parts.empty()) {
    const std::vector<Value> values = iterate(context_, value);
    if (values.size() != target.parts.size()) {
      context_.fail("expected " + std::to_string(target.parts.size()) + " values to unpack; got " + std::to_string(values.size()));
    }
    for (size_t i = 0; i < values.size(); ++i) assign(target.parts[i], values[i]);
  } else if (target.attribute.empty()) {
    scope_->variables.insert_or_assign(target.name, value);
  } else {
    const Value* object = find_variable(context_, scope_.get(), target.name);
    if (!object || !object->name_space()) context_.fail("cannot assign an attribute of '" + target.name + "', which is no namespace");
    object->name_space()->attributes.insert_or_assign(target.attribute, value);
  }
}

Value Interpreter::capture(const Body& body, const Names& unset_names, ScopePtr scope) {
  const Entered entered(*this, std::move(scope));
  unset(unset_names);
  std::string outer = std::move(out_);
  out_.clear();
  execute(body);
  Value made = context_.text(std::move(out_));
  out_ = std::move(outer);
  return made;
}

Interpreter::ScopePtr Interpreter::child_of(const ScopePtr& parent) const {
  if (parent->depth == kMaxScopes) context_.fail("blocks are nested too deeply");
  auto made = std::make_shared<Scope>();
  made->parent = parent;
  made->depth = parent->depth + 1;
  return made;
}

Value Interpreter::macro(const MacroStatement& statement) {
  context_.charge(Context::kRetainedUnits);
  captured_.push_back(scope_);
  auto made = std::make_shared<Callable>();
  made->name = statement.name;
  made->call = [this, &statement, scope = scope_](Context&, const Arguments& given) { return invoke(statement, scope, given); };
  return Value(Value::Data(std::shared_ptr<const Callable>(std::move(made))));
}

Value Interpreter::invoke(const MacroStatement& macro, const ScopePtr& defined_in, const Arguments& given) {
  const Nested nested(*this);
  const std::vector<std::string>& names = macro.parameters;
  if (given.positional.size() > names.size()) {
    context_.fail("macro '" + macro.name + "' takes not more than " + std::to_string(names.size()) + " argument(s)");
  }
  const ScopePtr scope = child_of(defined_in);
  for (size_t i = 0; i < given.positional.size(); ++i) scope->variables.insert_or_assign(names[i], given.positional[i]);
  for (const auto& [name, value] : given.named) {
    if (name != "caller" && std::find(names.begin(), names.end(), name) == names.end()) {
      context_.fail("macro '" + macro.name + "' takes no keyword argument '" + name + "'");
    }
    if (!scope->variables.emplace(name, value).second) context_.fail("macro '" + macro.name + "' got the argument '" + name + "' twice");
  }
  const Entered entered(*this, scope);
  bind_defaults(macro);
  return capture(macro.body, macro.unset, scope);
}

void Interpreter::bind_defaults(const MacroStatement& macro) {
  const size_t required = macro.parameters.size() - macro.defaults.size();
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const std::string& name = macro.parameters[i];
    if (scope_->variables.contains(name)) continue;
    scope_->variables.emplace(
        name, i < required ? Value::undefined("parameter '" + name + "' was not provided") : evaluate(*macro.defaults[i - required]));
  }
}

}  // namespace grpo::jinja
