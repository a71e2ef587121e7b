#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

template <typename Number, typename... Options>
std::optional<Number> parse_number(std::string_view text, Options... options) {
  text = strip(text, nullptr, Side::kBoth);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, options...);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional<Number>(value) : std::nullopt;
}

/// "0x1f" and such, where the base matches.
std::optional<int64_t> parse_integer(std::string_view text, int base) {
  text = strip(text, nullptr, Side::kBoth);
  const char letter = base == 16 ? 'x' : base == 8 ? 'o' : 'b';
  const bool prefixed = (base == 16 || base == 8 || base == 2) && text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == letter;
  return parse_number<int64_t>(prefixed ? text.substr(2) : text, base);
}

std::optional<int64_t> truncated(const Context& context, double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) >= 0x1p63) context.fail("an integer result exceeds 64 bits");
  return static_cast<int64_t>(value);
}

Value to_int(Context& context, const Arguments& arguments) {
  const Parameters given(context, "int", arguments, {"value", "default", "base"});
  const Value& value = given.required(0);
  require_defined(context, value);
  const int64_t base = given.integer(2, 10);
  if (base < 2 || base > 36) context.fail("int() expected a base of 2 … 36");
  std::optional<int64_t> found;
  if (value.is_integral()) {
    found = value.integer();
  } else if (value.real()) {
    found = truncated(context, *value.real());
  } else if (value.text()) {
    found = parse_integer(*value.text(), static_cast<int>(base));
    const auto real = found ? std::nullopt : parse_number<double>(*value.text());
    if (real) found = truncated(context, *real);
  }
  if (found) return Value(*found);
  return given.get(1) ? *given.get(1) : Value(int64_t{0});
}

Value to_float(Context& context, const Arguments& arguments) {
  const Parameters given(context, "float", arguments, {"value", "default"});
  const Value& value = given.required(0);
  require_defined(context, value);
  if (value.is_number()) return Value(value.as_double());
  const auto found = value.text() ? parse_number<double>(*value.text()) : std::nullopt;
  if (found) return Value(*found);
  return given.get(1) ? *given.get(1) : Value(0.0);
}

double number(const Context& context, const char* filter, const Value& value) {
  require_defined(context, value);
  if (!value.is_number()) context.fail(std::string(filter) + "() expected a number; got " + value.type_name());
  return value.as_double();
}

Value absolute(Context& context, const Arguments& arguments) {
  const Parameters given(context, "abs", arguments, {"value"});
  return number(context, "abs", given.required(0)) < 0 ? negate(context, given.required(0)) : given.required(0);
}

Value round(Context& context, const Arguments& arguments) {
  const Parameters given(context, "round", arguments, {"value", "precision", "method"});
  const double value = number(context, "round", given.required(0));
  const int64_t precision = given.integer(1, 0);
  if (precision < 0 || precision > 100) context.fail("round() expected a precision of 0 … 100");
  const std::string method = given.text(2) ? *given.text(2) : "common";
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return Value(std::ceil(value * scale) / scale);
  if (method == "floor") return Value(std::floor(value * scale) / scale);
  if (method != "common") context.fail("round() expected the method common, ceil or floor");
  if (given.required(0).is_integral()) return Value(given.required(0).integer());
  // Printing rounds the exact binary value, halves to even, as Python's round() does.
  const std::string printed = percent_format(context, "%." + std::to_string(precision) + "f", given.required(0));
  return Value(parse_number<double>(printed).value_or(value));
}

Value default_value(Context& context, const Arguments& arguments) {
  const Parameters given(context, "default", arguments, {"value", "default_value", "boolean"});
  const Value& value = given.required(0);
  const bool replaced = value.is_undefined() || (given.flag(2, false) && !value.truthy());
  if (!replaced) return value;
  return given.get(1) ? *given.get(1) : Value(std::string());
}

/// `value|attr("name")`: the attribute or method, never the item.
Value attribute(Context& context, const Arguments& arguments) {
  const Parameters given(context, "attr", arguments, {"value", "name"});
  require_defined(context, given.required(0));
  const std::string name = to_text(context, given.required(1));
  if (auto found = find_attribute(given.required(0), name)) return *found;
  return Value::undefined(std::string("'") + given.required(0).type_name() + " object' has no attribute '" + name + "'");
}

Value length_filter(Context& context, const Arguments& arguments) {
  return Value(length(context, Parameters(context, "length", arguments, {"value"}).required(0)));
}

Value to_json_filter(Context& context, const Arguments& arguments) {
  const Parameters given(context, "tojson", arguments, {"value", "ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = given.flag(1, false);
  style.sort_keys = given.flag(4, false);
  std::string indent;
  if (const Value* width = given.get(2); width && !width->is_none()) {
    if (!width->text() && given.integer(2, 0) > 1000) context.fail("tojson() expected an indentation of at most 1000");
    indent = width->text() ? *width->text() : std::string(static_cast<size_t>(std::max<int64_t>(given.integer(2, 0), 0)), ' ');
    style.indent = &indent;
    style.item_separator = ",";
  }
  if (const Value* separators = given.get(3); separators && !separators->is_none()) {
    const Sequence* pair = separators->sequence();
    if (!pair || pair->items.size() != 2 || !pair->items[0].text() || !pair->items[1].text()) {
      context.fail("tojson() expected separators as a pair of strings");
    }
    style.item_separator = *pair->items[0].text();
    style.key_separator = *pair->items[1].text();
  }
  return context.text(to_json(context, given.required(0), style));
}

Value items(Context& context, const Arguments& arguments) {
  const Parameters given(context, "items", arguments, {"value"});
  const Value& value = given.required(0);
  if (!value.dict() && !value.is_undefined()) context.fail(std::string("items() expected a mapping; got ") + value.type_name());
  std::vector<Value> pairs;
  if (value.dict()) {
    for (const auto& [key, item] : value.dict()->items()) pairs.push_back(context.tuple({key, item}));
  }
  return context.list(std::move(pairs));
}

}  // namespace

const FunctionTable& value_filters() {
  static const FunctionTable kTable{
      {"default", default_value}, {"d", default_value}, {"length", length_filter}, {"count", length_filter},
      {"tojson", to_json_filter}, {"int", to_int},      {"float", to_float},       {"abs", absolute},
      {"round", round},           {"items", items},     {"attr", attribute},
  };
  return kTable;
}

bool is_filter(const std::string& name) {
  const auto has = [&](const FunctionTable& table) { return table.contains(name); };
  return has(value_filters()) || has(text_filters()) || has(sequence_filters());
}

Value apply_filter(Context& context, const std::string& name, const Arguments& arguments) {
  for (const FunctionTable* table : {&value_filters(), &text_filters(), &sequence_filters()}) {
    const auto found = table->find(name);
    if (found != table->end()) return found->second(context, arguments);
  }
  context.fail("no filter named '" + name + "'");
}

}  // namespace grpo::jinja
