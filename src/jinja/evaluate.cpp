#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/interpreter.h"
#include "jinja/interpreter_scopes.h"

namespace grpo::jinja {

Value Interpreter::evaluate(const Expression& node) {
  const Nested nested(*this);
  context_.at = node.at;
  context_.charge(1);
  switch (node.kind) {
    case ExpressionKind::kLiteral:
      return node.value;
    case ExpressionKind::kName:
      return lookup(node);
    case ExpressionKind::kList:
    case ExpressionKind::kTuple:
      return make_collection(node);
    case ExpressionKind::kDict:
      return make_dict(node);
    case ExpressionKind::kAttribute:
    case ExpressionKind::kItem:
    case ExpressionKind::kSlice:
      return access(node);
    case ExpressionKind::kCall:
    case ExpressionKind::kFilter:
    case ExpressionKind::kTest:
      return apply(node);
    case ExpressionKind::kConcat:
      return concatenate(node);
    case ExpressionKind::kCompare:
      return compare(node);
    case ExpressionKind::kAnd:
    case ExpressionKind::kOr:
    case ExpressionKind::kConditional:
      return choose(node);
    default:
      return apply_operator(node);
  }
}

Value Interpreter::lookup(const Expression& node) {
  if (const Value* found = find_variable(context_, scope_.get(), node.name)) return *found;
  const auto global = globals().find(node.name);
  return global == globals().end() ? Value::undefined("'" + node.name + "' is undefined") : global->second;
}

Value Interpreter::make_collection(const Expression& node) {
  std::vector<Value> items;
  items.reserve(node.operands.size());
  for (const ExpressionPtr& operand : node.operands) items.push_back(evaluate(*operand));
  context_.at = node.at;
  return node.kind == ExpressionKind::kTuple ? context_.tuple(std::move(items)) : context_.list(std::move(items));
}

Value Interpreter::make_dict(const Expression& node) {
  Dict items;
  for (size_t i = 0; i < node.operands.size(); i += 2) {
    const Value key = evaluate(*node.operands[i]);
    if (!Dict::hashable(key)) context_.fail(std::string("unhashable type: '") + key.type_name() + "'");
    items.set(key, evaluate(*node.operands[i + 1]));
  }
  context_.at = node.at;
  return context_.dict(std::move(items));
}

Value Interpreter::concatenate(const Expression& node) {
  std::string out;
  for (const ExpressionPtr& operand : node.operands) {
    const Value part = evaluate(*operand);
    context_.at = node.at;
    out += to_text(context_, part);
  }
  return context_.text(std::move(out));
}

bool Interpreter::holds(const std::string& symbol, const Value& left, const Value& right) {
  if (symbol == "==") return equal(context_, left, right);
  if (symbol == "!=") return !equal(context_, left, right);
  if (symbol == "in") return contains(context_, right, left);
  if (symbol == "not in") return !contains(context_, right, left);
  return ordered(context_, symbol, left, right);
}

Value Interpreter::compare(const Expression& node) {
  Value left = evaluate(*node.operands[0]);
  for (size_t i = 0; i < node.names.size(); ++i) {
    Value right = evaluate(*node.operands[i + 1]);
    context_.at = node.at;
    if (!holds(node.names[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::access(const Expression& node) {
  const Value object = evaluate(*node.operands[0]);
  context_.at = node.at;
  if (node.kind == ExpressionKind::kAttribute) return get_attribute(context_, object, node.name);
  const Value key = evaluate(*node.operands[1]);
  if (node.kind == ExpressionKind::kItem) {
    context_.at = node.at;
    return get_item(context_, object, key);
  }
  const Value end = evaluate(*node.operands[2]);
  const Value step = evaluate(*node.operands[3]);
  context_.at = node.at;
  return get_slice(context_, object, key, end, step);
}

Value Interpreter::apply_operator(const Expression& node) {
  const Value left = evaluate(*node.operands[0]);
  if (node.kind == ExpressionKind::kNot) return Value(!left.truthy());
  if (node.kind == ExpressionKind::kArithmetic) {
    const Value right = evaluate(*node.operands[1]);
    context_.at = node.at;
    return arithmetic(context_, node.operation, left, right);
  }
  context_.at = node.at;
  const Value negated = negate(context_, left);
  return node.kind == ExpressionKind::kNegate ? negated : negate(context_, negated);
}

Value Interpreter::choose(const Expression& node) {
  Value first = evaluate(*node.operands[0]);
  if (node.kind == ExpressionKind::kConditional) return evaluate(*node.operands[first.truthy() ? 1 : 2]);
  const bool decided = first.truthy() == (node.kind == ExpressionKind::kOr);
  return decided ? first : evaluate(*node.operands[1]);
}

/// Of a filter or test, the value comes first; of a call, the callee is left out.
Arguments Interpreter::arguments(const Expression& node) {
  Arguments given;
  const size_t first = node.kind == ExpressionKind::kCall ? 1 : 0;
  const size_t named = node.operands.size() - node.names.size();
  for (size_t i = first; i < named; ++i) given.positional.push_back(evaluate(*node.operands[i]));
  for (size_t i = named; i < node.operands.size(); ++i) given.named.emplace_back(node.names[i - named], evaluate(*node.operands[i]));
  return given;
}

Value Interpreter::call_with(const Expression& node, Arguments given) {
  const Value callee = evaluate(*node.operands[0]);
  context_.at = node.at;
  return call(context_, callee, given);
}

Value Interpreter::apply(const Expression& node) {
  Arguments given = arguments(node);
  if (node.kind == ExpressionKind::kCall) return call_with(node, std::move(given));
  context_.at = node.at;
  if (node.kind == ExpressionKind::kFilter) return apply_filter(context_, node.name, given);
  return Value(apply_test(context_, node.name, given));
}

}  // namespace grpo::jinja
