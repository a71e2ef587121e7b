#include <cmath>
#include <cstdio>

#include "jinja/format.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

/// One `%[-0][width][.precision]type` of a pattern.
struct Field {
  bool left = false;
  bool zeros = false;
  int64_t width = 0;
  int64_t precision = -1;
  char type = '\0';
};

int64_t read_number(const Context& context, std::string_view& rest) {
  static constexpr int64_t kMax = 400;
  int64_t value = 0;
  for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1)) {
    value = value * 10 + (rest[0] - '0');
    if (value > kMax) context.fail("a width or precision of a format is too large");
  }
  return value;
}

Field read_field(const Context& context, std::string_view& rest) {
  Field field;
  for (; !rest.empty() && (rest[0] == '-' || rest[0] == '0'); rest.remove_prefix(1)) (rest[0] == '-' ? field.left : field.zeros) = true;
  field.width = read_number(context, rest);
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    field.precision = read_number(context, rest);
  }
  if (rest.empty()) context.fail("incomplete format");
  field.type = rest[0];
  rest.remove_prefix(1);
  return field;
}

std::string print_real(double value, int64_t precision) {
  const int digits = precision < 0 ? 6 : static_cast<int>(precision);
  std::string text(static_cast<size_t>(std::snprintf(nullptr, 0, "%.*f", digits, value)), '\0');
  std::snprintf(text.data(), text.size() + 1, "%.*f", digits, value);
  return text;
}

std::string convert(Context& context, const Field& field, const Value& value) {
  if (field.type == 's') {
    std::string text = to_text(context, value);
    if (field.precision < 0 || character_count(text) <= field.precision) return text;
    const std::string_view end = characters(text)[static_cast<size_t>(field.precision)];
    return text.substr(0, static_cast<size_t>(end.data() - text.data()));
  }
  if (!value.is_number()) context.fail(std::string("%") + field.type + " expected a number; got " + value.type_name());
  if (field.type == 'f') return print_real(value.as_double(), field.precision);
  if (field.type != 'd' && field.type != 'i') context.fail(std::string("unsupported format character '") + field.type + "'");
  if (value.is_integral()) return std::to_string(value.integer());
  if (!(std::abs(value.as_double()) < 9e18)) context.fail("%d expected a number of 64 bits; got " + real_repr(value.as_double()));
  return std::to_string(static_cast<int64_t>(value.as_double()));
}

std::string pad(const Field& field, std::string text) {
  const int64_t missing = field.width - character_count(text);
  if (missing <= 0) return text;
  const auto number = static_cast<size_t>(missing);
  if (field.left) return text + std::string(number, ' ');
  if (!field.zeros || field.type == 's') return std::string(number, ' ') + text;
  return text.insert(text.find_first_not_of('-') == 1 ? 1 : 0, number, '0');
}

}  // namespace

std::string percent_format(Context& context, std::string_view pattern, const std::vector<Value>& values) {
  std::string out;
  size_t used = 0;
  while (!pattern.empty()) {
    const size_t next = std::min(pattern.find('%'), pattern.size());
    out += pattern.substr(0, next);
    pattern.remove_prefix(next);
    if (pattern.empty()) break;
    pattern.remove_prefix(1);
    const Field field = read_field(context, pattern);
    if (field.type == '%') {
      out += '%';
      continue;
    }
    if (used == values.size()) context.fail("not enough arguments for format string");
    context.charge_bytes(static_cast<size_t>(field.width));
    out += pad(field, convert(context, field, values[used++]));
  }
  if (used != values.size()) context.fail("not all arguments converted during string formatting");
  return out;
}

}  // namespace grpo::jinja
