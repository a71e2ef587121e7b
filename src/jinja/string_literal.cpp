#include "jinja/string_literal.h"

#include <algorithm>
#include <charconv>

#include "core/utf8.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

/// Reads up to `most` digits of `base` as a code point and appends it.
void append_number(std::string& out, std::string_view& rest, size_t least, size_t most, int base, Position at) {
  uint32_t code = 0;
  const std::string_view digits = rest.substr(0, most);
  const char* end = std::from_chars(digits.data(), digits.data() + digits.size(), code, base).ptr;
  const auto read = static_cast<size_t>(end - digits.data());
  if (read < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
    fail_at(at, "expected an escape of a Unicode character in a string");
  append_utf8(out, static_cast<char32_t>(code));
  rest.remove_prefix(read);
}

}  // namespace

std::string unescape(std::string_view literal, Position at) {
  static constexpr std::string_view kNames = "\n\\'\"abfnrtv";
  static constexpr std::string_view kValues{"\0\\'\"\a\b\f\n\r\t\v", 11};
  std::string out;
  while (!literal.empty()) {
    const size_t plain = std::min(literal.find('\\'), literal.size());
    out += literal.substr(0, plain);
    literal.remove_prefix(plain);
    if (literal.empty()) break;
    const char kind = literal[1];  // the lexer ends no string behind a backslash
    literal.remove_prefix(2);
    if (kind == 'x') {
      append_number(out, literal, 2, 2, 16, at);
    } else if (kind == 'u') {
      append_number(out, literal, 4, 4, 16, at);
    } else if (kind == 'U') {
      append_number(out, literal, 8, 8, 16, at);
    } else if (kind >= '0' && kind <= '7') {
      literal = std::string_view(literal.data() - 1, literal.size() + 1);
      append_number(out, literal, 1, 3, 8, at);
    } else if (kind == 'N') {
      fail_at(at, "expected no escape by a character's name");
    } else if (const size_t named = kNames.find(kind); named == std::string_view::npos) {
      out.append("\\").append(1, kind);
    } else if (kind != '\n') {  // an escaped newline vanishes
      out += kValues[named];
    }
  }
  return out;
}

}  // namespace grpo::jinja
