#include "jinja/context.h"

#include <algorithm>

#include "grpo/core/error.h"

namespace grpo::jinja {

void fail_at(Position at, std::string_view message) {
  grpo::fail("chat_template", "line " + std::to_string(at.line) + ", column " + std::to_string(at.column) + ": " + std::string(message));
}

Context::~Context() {
  for (const auto& space : namespaces_) space->attributes.clear();
}

void Context::charge(int64_t units) {
  if (units > budget_) fail("the template does more work than a rendering may");
  budget_ -= units;
}

void Context::check_depth(int depth) const {
  if (depth > kMaxValueDepth) fail("lists and dicts are nested too deeply");
}

Value Context::text(std::string value) {
  Value made(std::move(value));
  charge(made.weight());
  return made;
}

std::shared_ptr<Sequence> make_sequence(std::vector<Value> items, bool tuple) {
  auto made = std::make_shared<Sequence>();
  for (const Value& item : items) made->depth = std::max(made->depth, item.depth() + 1);
  made->items = std::move(items);
  made->tuple = tuple;
  return made;
}

Value Context::sequence(std::vector<Value> items, bool tuple) {
  charge(static_cast<int64_t>(items.size()));
  std::shared_ptr<const Sequence> made = make_sequence(std::move(items), tuple);
  check_depth(made->depth);
  return Value(Value::Data(std::move(made)));
}

Value Context::dict(Dict items) {
  charge(static_cast<int64_t>(items.items().size()));
  check_depth(items.depth());
  return Value(Value::Data(std::make_shared<const Dict>(std::move(items))));
}

Value Context::name_space(Namespace contents) {
  charge(kRetainedUnits);
  namespaces_.push_back(std::make_shared<Namespace>(std::move(contents)));
  return Value(Value::Data(namespaces_.back()));
}

Value Context::texts(const std::vector<std::string_view>& items) {
  std::vector<Value> values;
  values.reserve(items.size());
  for (const std::string_view item : items) values.push_back(text(std::string(item)));
  return list(std::move(values));
}

Parameters::Parameters(const Context& context, std::string_view function, const Arguments& arguments,
                       std::initializer_list<const char*> names)
    : context_(context), function_(function), names_(names), bound_(names.size(), nullptr) {
  if (arguments.positional.size() > names_.size()) {
    context_.fail(std::string(function_) + "() expected at most " + std::to_string(names_.size()) + " arguments; got " +
                  std::to_string(arguments.positional.size()));
  }
  std::transform(arguments.positional.begin(), arguments.positional.end(), bound_.begin(), [](const Value& value) { return &value; });
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) context_.fail(std::string(function_) + "() got an unexpected argument '" + name + "'");
    const Value*& slot = bound_[static_cast<size_t>(found - names_.begin())];
    if (slot) context_.fail(std::string(function_) + "() got the argument '" + name + "' twice");
    slot = &value;
  }
}

std::string Parameters::missing(size_t index) const { return std::string(function_) + "() expected the argument '" + names_[index] + "'"; }

const Value& Parameters::required(size_t index) const {
  if (!bound_[index]) context_.fail(missing(index));
  return *bound_[index];
}

int64_t Parameters::integer(size_t index, int64_t otherwise) const {
  if (!bound_[index] || bound_[index]->is_none()) return otherwise;
  if (!bound_[index]->is_integral()) context_.fail(missing(index) + " as an integer; got " + bound_[index]->type_name());
  return bound_[index]->integer();
}

bool Parameters::flag(size_t index, bool otherwise) const { return bound_[index] ? bound_[index]->truthy() : otherwise; }

const std::string* Parameters::text(size_t index) const {
  if (!bound_[index] || bound_[index]->is_none()) return nullptr;
  if (!bound_[index]->text()) context_.fail(missing(index) + " as a string; got " + bound_[index]->type_name());
  return bound_[index]->text();
}

const std::string& Parameters::required_text(size_t index) const {
  const std::string* given = text(index);
  if (!given) context_.fail(missing(index) + " as a string");
  return *given;
}

}  // namespace grpo::jinja
