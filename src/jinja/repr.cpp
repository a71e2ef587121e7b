#include <array>
#include <charconv>
#include <cmath>

#include "jinja/format.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

void append_hex(std::string& out, const char* prefix, int32_t value, int digits) {
  out += prefix;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[(value >> shift) & 15];
}

void append_code(std::string& out, int32_t code) {
  if (code < 0x100) return append_hex(out, "\\x", code, 2);
  append_hex(out, code < 0x10000 ? "\\u" : "\\U", code, code < 0x10000 ? 4 : 8);
}

void append_text(std::string& out, std::string_view text) {
  const bool single = text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
  const char quote = single ? '\'' : '"';
  out += quote;
  for (const std::string_view character : characters(text)) {
    const int32_t code = code_point(character);
    if (character[0] == quote || character[0] == '\\') {
      out.append("\\").append(character);
    } else if (code == '\n' || code == '\r' || code == '\t') {
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (code < 0 || is_printable(character)) {
      out += character;
    } else {
      append_code(out, code);
    }
  }
  out += quote;
}

void append(Context& context, std::string& out, const Value& value);

void append_sequence(Context& context, std::string& out, const Sequence& list) {
  out += list.tuple ? '(' : '[';
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out += ", ";
    append(context, out, list.items[i]);
  }
  if (list.tuple && list.items.size() == 1) out += ',';
  out += list.tuple ? ')' : ']';
}

void append_dict(Context& context, std::string& out, const Dict& dict) {
  out += '{';
  for (size_t i = 0; i < dict.items().size(); ++i) {
    if (i > 0) out += ", ";
    append(context, out, dict.items()[i].first);
    out += ": ";
    append(context, out, dict.items()[i].second);
  }
  out += '}';
}

void append(Context& context, std::string& out, const Value& value) {
  context.charge(value.text() ? value.weight() : 1);
  if (const std::string* text = value.text()) {
    append_text(out, *text);
  } else if (const Sequence* list = value.sequence()) {
    append_sequence(context, out, *list);
  } else if (const Dict* dict = value.dict()) {
    append_dict(context, out, *dict);
  } else if (const bool* flag = value.boolean()) {
    out += *flag ? "True" : "False";
  } else if (value.is_number()) {
    out += value.real() ? real_repr(*value.real()) : std::to_string(value.integer());
  } else if (value.is_none()) {
    out += "None";
  } else if (value.is_undefined()) {
    out += "Undefined";
  } else {
    context.fail(std::string("a ") + value.type_name() + " cannot be printed");
  }
}

}  // namespace

std::string real_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  const std::string_view all(buffer.data(), static_cast<size_t>(end - buffer.data()));
  const size_t mark = all.find('e');
  const int exponent = std::stoi(std::string(all.substr(mark + 1)));
  if (exponent < -4 || exponent >= 16) return std::string(all);
  std::array<char, 512> plain{};
  const auto plain_end = std::to_chars(plain.data(), plain.data() + plain.size(), value, std::chars_format::fixed).ptr;
  std::string text(plain.data(), plain_end);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string to_text(Context& context, const Value& value) {
  if (value.is_undefined()) return {};
  if (const std::string* text = value.text()) {
    context.charge(value.weight());
    return *text;
  }
  return to_repr(context, value);
}

std::string to_repr(Context& context, const Value& value) {
  std::string out;
  append(context, out, value);
  return out;
}

std::string to_ascii(Context& context, const Value& value) {
  const std::string repr = to_repr(context, value);
  std::string out;
  for (const std::string_view character : characters(repr)) {
    const int32_t code = code_point(character);
    if (code < 0x80) {
      out += character;
    } else {
      append_code(out, code);
    }
  }
  return out;
}

}  // namespace grpo::jinja
