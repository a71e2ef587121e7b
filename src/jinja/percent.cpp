#include <algorithm>
#include <cmath>

#include "core/utf8.h"
#include "jinja/format.h"
#include "jinja/number_format.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

/// One `%[(name)][#0- +][width][.precision]type` of a pattern.
struct Conversion {
  bool left = false;
  bool zeros = false;
  int64_t width = 0;
  NumberStyle style;
};

/// The values that a pattern takes one after the other, or by name.
class Operands {
 public:
  Operands(Context& context, const Value& values) : context_(context), values_(values) {}

  const Value& next() {
    const Sequence* tuple = values_.sequence();
    const bool is_tuple = tuple && tuple->tuple;
    if (used_ >= (is_tuple ? tuple->items.size() : 1)) context_.fail("not enough arguments for format string");
    return is_tuple ? tuple->items[used_++] : (++used_, values_);
  }

  const Value& named(const std::string& name) {
    if (!values_.dict()) context_.fail("%(" + name + ") expected a mapping; got " + values_.type_name());
    const Value* found = values_.dict()->find(name);
    if (!found) context_.fail("%(" + name + ") expected a key of the mapping; got none of that name");
    return *found;
  }

  void check_all_used() const {
    const Sequence* list = values_.sequence();
    const bool complete = list && list->tuple ? used_ == list->items.size() : used_ == 1 || list || values_.dict();
    if (!complete) context_.fail("not all arguments converted during string formatting");
  }

 private:
  Context& context_;
  const Value& values_;
  size_t used_ = 0;
};

int64_t read_number(Context& context, std::string_view& rest, Operands& operands) {
  static constexpr int64_t kMax = 10'000;
  int64_t value = 0;
  if (rest.starts_with('*')) {
    rest.remove_prefix(1);
    const Value& given = operands.next();
    if (!given.is_integral()) context.fail("* wants an integer");
    value = given.integer();
  }
  for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9' && value <= kMax; rest.remove_prefix(1)) value = value * 10 + (rest[0] - '0');
  if (value > kMax || value < -kMax) context.fail("a width or precision of a format is too large");
  return value;
}

void read_flags(std::string_view& rest, Conversion& made) {
  for (; !rest.empty() && std::string_view("-0+ #").find(rest[0]) != std::string_view::npos; rest.remove_prefix(1)) {
    made.left |= rest[0] == '-';
    made.zeros |= rest[0] == '0';
    made.style.alternate |= rest[0] == '#';
    if (rest[0] == '+' || (rest[0] == ' ' && made.style.sign != '+')) made.style.sign = rest[0];
  }
}

Conversion read_conversion(Context& context, std::string_view& rest, Operands& operands) {
  Conversion made;
  read_flags(rest, made);
  made.width = read_number(context, rest, operands);
  made.left |= made.width < 0;
  made.width = std::abs(made.width);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    made.style.precision = std::max<int64_t>(read_number(context, rest, operands), 0);
  }
  if (!rest.empty() && std::string_view("hlL").find(rest[0]) != std::string_view::npos) rest.remove_prefix(1);
  if (rest.empty()) context.fail("incomplete format");
  made.style.type = rest[0];
  rest.remove_prefix(1);
  return made;
}

[[noreturn]] void wrong_operand(const Context& context, char type, const char* expected, const Value& value) {
  context.fail(std::string("%") + type + " expected " + expected + "; got " + value.type_name());
}

std::string one_character(const Context& context, const Value& value) {
  if (value.text() && character_count(*value.text()) == 1) return *value.text();
  if (!value.is_integral()) wrong_operand(context, 'c', "a Unicode number or one character", value);
  const int64_t code = value.integer();
  if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    wrong_operand(context, 'c', "a number of a Unicode character", value);
  std::string out;
  append_utf8(out, static_cast<char32_t>(code));
  return out;
}

std::string as_text(Context& context, const Conversion& conversion, const Value& value) {
  const char type = conversion.style.type;
  if (type == 'c') return one_character(context, value);
  std::string text = type == 's' ? to_text(context, value) : type == 'r' ? to_repr(context, value) : to_ascii(context, value);
  const int64_t kept = conversion.style.precision;
  if (kept < 0 || character_count(text) <= kept) return text;
  const std::string_view end = characters(text)[static_cast<size_t>(kept)];
  return text.substr(0, static_cast<size_t>(end.data() - text.data()));
}

PrintedNumber as_integer(const Context& context, NumberStyle style, const Value& value) {
  const bool decimal = style.type == 'd' || style.type == 'i' || style.type == 'u';
  if (!decimal && !value.is_integral()) wrong_operand(context, style.type, "an integer", value);
  if (!value.is_number()) wrong_operand(context, style.type, "a number", value);
  if (decimal) style.type = 'd';
  if (value.is_integral()) return print_integer(value.integer(), style);
  if (!(std::abs(value.as_double()) < 9e18)) context.fail("%d expected a number of 64 bits; got " + real_repr(value.as_double()));
  return print_integer(static_cast<int64_t>(value.as_double()), style);
}

std::string convert(Context& context, const Conversion& conversion, const Value& value) {
  const char type = conversion.style.type;
  const auto is_one_of = [&](std::string_view types) { return types.find(type) != std::string_view::npos; };
  PrintedNumber number;
  const bool is_text = is_one_of("srac");
  if (is_text) {
    number.digits = as_text(context, conversion, value);
  } else if (is_one_of("diuoxX")) {
    number = as_integer(context, conversion.style, value);
  } else if (is_one_of("eEfFgG")) {
    if (!value.is_number()) wrong_operand(context, type, "a number", value);
    number = print_real(value.as_double(), conversion.style);
  } else {
    context.fail(std::string("unsupported format character '") + type + "'");
  }
  const int64_t missing = conversion.width - character_count(number.digits) - static_cast<int64_t>(number.prefix.size());
  const std::string padding(static_cast<size_t>(std::max<int64_t>(missing, 0)),
                            conversion.zeros && !is_text && !conversion.left ? '0' : ' ');
  if (conversion.left) return number.prefix + number.digits + padding;
  return conversion.zeros && !is_text ? number.prefix + padding + number.digits : padding + number.prefix + number.digits;
}

}  // namespace

std::string percent_format(Context& context, std::string_view pattern, const Value& values) {
  std::string out;
  Operands operands(context, values);
  while (!pattern.empty()) {
    const size_t next = std::min(pattern.find('%'), pattern.size());
    out += pattern.substr(0, next);
    pattern.remove_prefix(next);
    if (pattern.empty()) break;
    pattern.remove_prefix(1);
    std::string name;
    const bool is_named = pattern.starts_with('(');
    if (is_named) {
      const size_t end = pattern.find(')');
      if (end == std::string_view::npos) context.fail("incomplete format key");
      name = pattern.substr(1, end - 1);
      pattern.remove_prefix(end + 1);
    }
    const Conversion conversion = read_conversion(context, pattern, operands);
    if (conversion.style.type == '%') {
      out += '%';
      continue;
    }
    context.charge_bytes(static_cast<size_t>(conversion.width + std::max<int64_t>(conversion.style.precision, 0)));
    out += convert(context, conversion, is_named ? operands.named(name) : operands.next());
  }
  operands.check_all_used();
  return out;
}

}  // namespace grpo::jinja
