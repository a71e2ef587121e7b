#include "jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "jinja/format.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void unsupported(const Context& context, std::string_view symbol, const Value& left, const Value& right) {
  context.fail("unsupported operand types for " + std::string(symbol) + ": '" + left.type_name() + "' and '" + right.type_name() + "'");
}

Value checked(const Context& context, bool overflow, const int64_t& result) {  // by reference: computed along with `overflow`
  if (overflow) context.fail("an integer result exceeds 64 bits");
  return Value(int64_t{result});
}

Value integer_power(const Context& context, int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) context.fail("0 cannot be raised to a negative power");
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  if (base == 0 || base == 1 || base == -1) return Value(exponent == 0 ? int64_t{1} : exponent % 2 == 0 ? base * base : base);
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    checked(context, __builtin_mul_overflow(result, base, &result), result);
  }
  return Value(result);
}

Value integer_arithmetic(const Context& context, Arithmetic operation, int64_t left, int64_t right) {
  int64_t result = 0;
  switch (operation) {
    case Arithmetic::kAdd:
      return checked(context, __builtin_add_overflow(left, right, &result), result);
    case Arithmetic::kSubtract:
      return checked(context, __builtin_sub_overflow(left, right, &result), result);
    case Arithmetic::kMultiply:
      return checked(context, __builtin_mul_overflow(left, right, &result), result);
    case Arithmetic::kPower:
      return integer_power(context, left, right);
    default:
      break;
  }
  if (right == 0) context.fail("division by zero");
  if (operation == Arithmetic::kDivide) return Value(static_cast<double>(left) / static_cast<double>(right));
  if (right == -1) {  // INT64_MIN / -1 overflows
    if (operation == Arithmetic::kModulo) return Value(int64_t{0});
    return checked(context, __builtin_sub_overflow(int64_t{0}, left, &result), result);
  }
  const bool rounds_up = left % right != 0 && (left < 0) != (right < 0);
  if (operation == Arithmetic::kFloorDivide) return Value(left / right - (rounds_up ? 1 : 0));
  return Value(left % right + (rounds_up ? right : 0));
}

Value real_arithmetic(const Context& context, Arithmetic operation, double left, double right) {
  switch (operation) {
    case Arithmetic::kAdd:
      return Value(left + right);
    case Arithmetic::kSubtract:
      return Value(left - right);
    case Arithmetic::kMultiply:
      return Value(left * right);
    case Arithmetic::kPower:
      return Value(std::pow(left, right));
    default:
      break;
  }
  if (right == 0) context.fail("division by zero");
  if (operation == Arithmetic::kDivide) return Value(left / right);
  double rest = std::fmod(left, right);
  if (rest != 0 && (rest < 0) != (right < 0)) rest += right;
  return operation == Arithmetic::kModulo ? Value(rest) : Value(std::round((left - rest) / right));
}

Value repeat_text(Context& context, const std::string& text, int64_t times) {
  if (times > Context::kBudget * kBytesPerUnit / static_cast<int64_t>(text.size())) context.fail("a repeated string is too large");
  const size_t size = text.size() * static_cast<size_t>(times);
  context.charge_bytes(size);
  std::string out;
  out.reserve(size);
  while (out.size() < size) out += text;
  return Value(std::move(out));
}

Value repeat(Context& context, const Value& value, int64_t times) {
  if (!value.truthy()) return value;
  times = std::max<int64_t>(times, 0);
  if (const std::string* text = value.text()) return repeat_text(context, *text, times);
  const Sequence& list = *value.sequence();
  if (times > Context::kBudget / static_cast<int64_t>(list.items.size())) context.fail("a repeated list is too large");
  std::vector<Value> items;
  for (int64_t i = 0; i < times; ++i) items.insert(items.end(), list.items.begin(), list.items.end());
  return list.tuple ? context.tuple(std::move(items)) : context.list(std::move(items));
}

Value concatenate(Context& context, const Sequence& left, const Sequence& right) {
  std::vector<Value> items = left.items;
  items.insert(items.end(), right.items.begin(), right.items.end());
  return left.tuple ? context.tuple(std::move(items)) : context.list(std::move(items));
}

bool equal_items(Context& context, const Sequence& left, const Sequence& right) {
  return left.tuple == right.tuple && std::equal(left.items.begin(), left.items.end(), right.items.begin(), right.items.end(),
                                                 [&](const Value& a, const Value& b) { return equal(context, a, b); });
}

bool equal_dicts(Context& context, const Dict& left, const Dict& right) {
  if (left.items().size() != right.items().size()) return false;
  return std::all_of(left.items().begin(), left.items().end(), [&](const auto& item) {
    const Value* other = right.find(item.first);
    return other && equal(context, item.second, *other);
  });
}

}  // namespace

void require_defined(const Context& context, const Value& value) {
  if (const auto* undefined = std::get_if<Undefined>(&value.data())) context.fail(*undefined->why);
}

Value arithmetic(Context& context, Arithmetic operation, const Value& left, const Value& right) {
  if (operation == Arithmetic::kModulo && left.text()) {
    return context.text(percent_format(context, *left.text(), right));
  }
  require_defined(context, left);
  require_defined(context, right);
  if (left.is_integral() && right.is_integral()) return integer_arithmetic(context, operation, left.integer(), right.integer());
  if (left.is_number() && right.is_number()) return real_arithmetic(context, operation, left.as_double(), right.as_double());
  if (operation == Arithmetic::kAdd) {
    if (left.text() && right.text()) {
      context.charge(left.weight() + right.weight());
      return Value(*left.text() + *right.text());
    }
    if (left.sequence() && right.sequence() && left.sequence()->tuple == right.sequence()->tuple) {
      return concatenate(context, *left.sequence(), *right.sequence());
    }
  }
  if (operation == Arithmetic::kMultiply) {
    if ((left.text() || left.sequence()) && right.is_integral()) return repeat(context, left, right.integer());
    if ((right.text() || right.sequence()) && left.is_integral()) return repeat(context, right, left.integer());
  }
  unsupported(context, kSymbols[static_cast<int>(operation)], left, right);
}

Value negate(Context& context, const Value& value) {
  require_defined(context, value);
  if (value.real()) return Value(-*value.real());
  if (!value.is_integral()) context.fail(std::string("bad operand type for unary -: '") + value.type_name() + "'");
  return integer_arithmetic(context, Arithmetic::kSubtract, 0, value.integer());
}

bool equal(Context& context, const Value& left, const Value& right) {
  context.charge(1);
  if (left.text() && right.text()) {
    context.charge(std::min(left.weight(), right.weight()));
    return *left.text() == *right.text();
  }
  if (left.is_number() && right.is_number()) return KeyEqual()(left, right);
  if (left.sequence() && right.sequence()) {
    return left.sequence() == right.sequence() || equal_items(context, *left.sequence(), *right.sequence());
  }
  if (left.dict() && right.dict()) return left.dict() == right.dict() || equal_dicts(context, *left.dict(), *right.dict());
  if (left.name_space()) return left.name_space() == right.name_space();
  if (left.callable()) return left.callable() == right.callable();
  return (left.is_none() && right.is_none()) || (left.is_undefined() && right.is_undefined());
}

bool less(Context& context, const Value& left, const Value& right) { return ordered(context, "<", left, right); }

bool ordered(Context& context, std::string_view symbol, const Value& left, const Value& right) {
  context.charge(1);
  require_defined(context, left);
  require_defined(context, right);
  const auto compare = [&](const auto& a, const auto& b) {
    return symbol == "<" ? a < b : symbol == "<=" ? a <= b : symbol == ">" ? a > b : a >= b;
  };
  if (left.is_integral() && right.is_integral()) return compare(left.integer(), right.integer());
  if (left.is_number() && right.is_number()) return compare(left.as_double(), right.as_double());
  if (left.text() && right.text()) {
    context.charge(std::min(left.weight(), right.weight()));
    return compare(left.text()->compare(*right.text()), 0);  // UTF-8 sorts as its code points do
  }
  if (!left.sequence() || !right.sequence() || left.sequence()->tuple != right.sequence()->tuple) {
    context.fail("'" + std::string(symbol) + "' not supported between instances of '" + left.type_name() + "' and '" + right.type_name() +
                 "'");
  }
  const auto& a = left.sequence()->items;
  const auto& b = right.sequence()->items;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!equal(context, a[i], b[i])) return ordered(context, symbol, a[i], b[i]);
  }
  return compare(a.size(), b.size());
}

bool contains(Context& context, const Value& container, const Value& item) {
  if (const std::string* text = container.text()) {
    if (!item.text()) context.fail(std::string("'in <string>' requires string as left operand, not ") + item.type_name());
    context.charge(container.weight());
    return find(*text, *item.text()) != std::string_view::npos;
  }
  if (const Dict* dict = container.dict()) {
    if (!Dict::hashable(item)) context.fail(std::string("unhashable type: '") + item.type_name() + "'");
    return dict->find(item) != nullptr;
  }
  if (container.is_undefined()) return false;
  if (!container.sequence()) context.fail(std::string("argument of type '") + container.type_name() + "' is not iterable");
  const auto& items = container.sequence()->items;
  return std::any_of(items.begin(), items.end(), [&](const Value& value) { return equal(context, value, item); });
}

}  // namespace grpo::jinja
