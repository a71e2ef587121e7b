#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

using Test = bool (*)(Context&, const Value&);
using BinaryTest = bool (*)(Context&, const Value&, const Value&);

bool is_odd(Context& context, const Value& value) {
  return arithmetic(context, Arithmetic::kModulo, value, Value(int64_t{2})).as_double() == 1;
}

bool is_even(Context& context, const Value& value) {
  return arithmetic(context, Arithmetic::kModulo, value, Value(int64_t{2})).as_double() == 0;
}

bool is_lower(Context& context, const Value& value) {
  const std::string text = to_text(context, value);
  return lower(text) == text && upper(text) != text;
}

bool is_upper(Context& context, const Value& value) {
  const std::string text = to_text(context, value);
  return upper(text) == text && lower(text) != text;
}

bool has_items(const Value& value) { return value.text() || value.sequence() || value.dict() || value.is_undefined(); }

/// Python's `is`: the same object, which for strings and numbers is only told by value here.
bool is_same(Context& context, const Value& left, const Value& right) {
  if (left.data().index() != right.data().index()) return false;
  if (left.sequence()) return left.sequence() == right.sequence();
  if (left.dict()) return left.dict() == right.dict();
  return equal(context, left, right);
}

bool is_test_name(Context& context, const Value& value);

const std::unordered_map<std::string_view, Test>& unary_tests() {
  static const std::unordered_map<std::string_view, Test> kTable{
      {"defined", [](Context&, const Value& value) { return !value.is_undefined(); }},
      {"undefined", [](Context&, const Value& value) { return value.is_undefined(); }},
      {"none", [](Context&, const Value& value) { return value.is_none(); }},
      {"string", [](Context&, const Value& value) { return value.text() != nullptr; }},
      {"mapping", [](Context&, const Value& value) { return value.dict() != nullptr; }},
      {"iterable", [](Context&, const Value& value) { return has_items(value); }},
      {"sequence", [](Context&, const Value& value) { return has_items(value); }},
      {"number", [](Context&, const Value& value) { return value.is_number(); }},
      {"integer", [](Context&, const Value& value) { return value.is_integral() && !value.boolean(); }},
      {"float", [](Context&, const Value& value) { return value.real() != nullptr; }},
      {"boolean", [](Context&, const Value& value) { return value.boolean() != nullptr; }},
      {"true", [](Context&, const Value& value) { return value.boolean() && *value.boolean(); }},
      {"false", [](Context&, const Value& value) { return value.boolean() && !*value.boolean(); }},
      {"callable", [](Context&, const Value& value) { return value.callable() != nullptr; }},
      {"filter", [](Context&, const Value& value) { return value.text() && is_filter(*value.text()); }},
      {"test", is_test_name},
      {"odd", is_odd},
      {"even", is_even},
      {"lower", is_lower},
      {"upper", is_upper},
  };
  return kTable;
}

const std::unordered_map<std::string_view, BinaryTest>& binary_tests() {
  static constexpr BinaryTest kDiffers = [](Context& context, const Value& a, const Value& b) { return !equal(context, a, b); };
  static constexpr BinaryTest kLess = [](Context& context, const Value& a, const Value& b) { return ordered(context, "<", a, b); };
  static constexpr BinaryTest kLessOrEqual = [](Context& context, const Value& a, const Value& b) { return ordered(context, "<=", a, b); };
  static constexpr BinaryTest kGreater = [](Context& context, const Value& a, const Value& b) { return ordered(context, ">", a, b); };
  static constexpr BinaryTest kGreaterOrEqual = [](Context& context, const Value& a, const Value& b) {
    return ordered(context, ">=", a, b);
  };
  static const std::unordered_map<std::string_view, BinaryTest> kTable{
      {"eq", equal},
      {"equalto", equal},
      {"==", equal},
      {"ne", kDiffers},
      {"!=", kDiffers},
      {"lt", kLess},
      {"lessthan", kLess},
      {"<", kLess},
      {"le", kLessOrEqual},
      {"<=", kLessOrEqual},
      {"gt", kGreater},
      {"greaterthan", kGreater},
      {">", kGreater},
      {"ge", kGreaterOrEqual},
      {">=", kGreaterOrEqual},
      {"sameas", is_same},
      {"in", [](Context& context, const Value& item, const Value& container) { return contains(context, container, item); }},
      {"divisibleby",
       [](Context& context, const Value& a, const Value& b) { return !arithmetic(context, Arithmetic::kModulo, a, b).truthy(); }},
  };
  return kTable;
}

bool is_test_name(Context&, const Value& value) {
  return value.text() && (unary_tests().contains(*value.text()) || binary_tests().contains(*value.text()));
}

}  // namespace

bool apply_test(Context& context, const std::string& name, const Arguments& arguments) {
  if (const auto found = unary_tests().find(name); found != unary_tests().end()) {
    return found->second(context, Parameters(context, name, arguments, {"value"}).required(0));
  }
  if (const auto found = binary_tests().find(name); found != binary_tests().end()) {
    const Parameters given(context, name, arguments, {"value", "other"});
    return found->second(context, given.required(0), given.required(1));
  }
  context.fail("no test named '" + name + "'");
}

}  // namespace grpo::jinja
