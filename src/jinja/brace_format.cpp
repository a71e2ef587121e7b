#include <algorithm>

#include "core/utf8.h"
#include "jinja/format.h"
#include "jinja/number_format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

constexpr std::string_view kAlignments = "<>=^";

/// `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
struct Specification {
  std::string fill = " ";
  char align = '\0';
  int64_t width = 0;
  NumberStyle style;
};

class Formatter {
 public:
  Formatter(Context& context, const Arguments& arguments) : context_(context), arguments_(arguments) {}

  std::string format(std::string_view pattern, int depth) {
    if (depth > 1) context_.fail("a format's fields are nested too deeply");
    std::string out;
    while (!pattern.empty()) {
      const size_t next = std::min(pattern.find_first_of("{}"), pattern.size());
      out += pattern.substr(0, next);
      pattern.remove_prefix(next);
      if (pattern.empty()) break;
      if (pattern.size() > 1 && pattern[1] == pattern[0]) {
        out += pattern[0];
        pattern.remove_prefix(2);
      } else if (pattern[0] == '}') {
        context_.fail("Single '}' encountered in format string");
      } else {
        const size_t end = end_of_field(pattern);
        out += field(pattern.substr(1, end - 1), depth);
        pattern.remove_prefix(end + 1);
      }
    }
    return out;
  }

 private:
  size_t end_of_field(std::string_view pattern) const {
    int open = 0;
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == '{') ++open;
      if (pattern[i] == '}' && --open == 0) return i;
    }
    context_.fail("expected '}' before end of string");
  }

  /// `name!conversion:specification`
  std::string field(std::string_view text, int depth) {
    size_t at = 0;
    for (bool in_brackets = false; at < text.size() && (in_brackets || (text[at] != '!' && text[at] != ':')); ++at) {
      in_brackets = text[at] == '[' || (in_brackets && text[at] != ']');
    }
    Value value = find(text.substr(0, at));
    text.remove_prefix(at);
    if (text.starts_with('!')) {
      const char kind = text.size() > 1 ? text[1] : '\0';
      if (std::string_view("rsa").find(kind) == std::string_view::npos || (text.size() > 2 && text[2] != ':')) {
        context_.fail("expected !r, !s or !a in a format");
      }
      value = Value(kind == 'r' ? to_repr(context_, value) : kind == 's' ? to_text(context_, value) : to_ascii(context_, value));
      text.remove_prefix(2);
    }
    if (text.empty()) return to_text(context_, value);
    return print(value, format(text.substr(1), depth + 1));
  }

  Value find(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    Value value = argument(std::string(name.substr(0, end)));
    name.remove_prefix(end);
    while (!name.empty()) {
      const bool is_item = name[0] == '[';
      const size_t stop = is_item ? name.find(']') : std::min(name.find_first_of(".[", 1), name.size());
      if (stop == std::string_view::npos || stop < 2) context_.fail("empty attribute in a format");
      const std::string key(name.substr(1, stop - 1));
      const bool is_index = is_item && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
      value = !is_item ? get_attribute(context_, value, key)
                       : get_item(context_, value, is_index ? Value(int64_t{std::stoi(key)}) : Value(key));
      name.remove_prefix(stop + (is_item ? 1 : 0));
    }
    return value;
  }

  const Value& argument(const std::string& name) {
    const bool is_index = name.find_first_not_of("0123456789") == std::string::npos;
    if (!is_index) {
      const auto found =
          std::find_if(arguments_.named.begin(), arguments_.named.end(), [&](const auto& given) { return given.first == name; });
      if (found == arguments_.named.end()) context_.fail("format() expected the argument '" + name + "'");
      return found->second;
    }
    if (numbering_ != Numbering::kOpen && (numbering_ == Numbering::kAutomatic) != name.empty()) {
      context_.fail("format() cannot switch between fields with and without numbers");
    }
    numbering_ = name.empty() ? Numbering::kAutomatic : Numbering::kByHand;
    const size_t index = name.empty() ? next_++ : name.size() < 10 ? static_cast<size_t>(std::stoi(name)) : SIZE_MAX;
    if (index >= arguments_.positional.size()) context_.fail("format() expected more positional arguments");
    return arguments_.positional[index];
  }

  int64_t number(std::string_view& text) const {
    int64_t value = 0;
    for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1)) {
      value = value * 10 + (text[0] - '0');
      if (value > 10'000) context_.fail("a width or precision of a format is too large");
    }
    return value;
  }

  Specification specification(std::string_view text) const {
    Specification made;
    const std::string whole(text);
    const auto take = [&](std::string_view choices) {
      if (text.empty() || choices.find(text[0]) == std::string_view::npos) return '\0';
      const char taken = text[0];
      text.remove_prefix(1);
      return taken;
    };
    const std::vector<std::string_view> all = characters(text.substr(0, 8));
    if (all.size() > 1 && all[1].size() == 1 && kAlignments.find(all[1][0]) != std::string_view::npos) {
      made.fill = all[0];
      text.remove_prefix(all[0].size());
    }
    made.align = take(kAlignments);
    if (const char sign = take("-+ ")) made.style.sign = sign;
    made.style.alternate = take("#") != '\0';
    if (text.starts_with('0')) {
      if (made.fill == " ") made.fill = "0";
      if (made.align == '\0') made.align = '0';
    }
    made.width = number(text);
    made.style.grouping = take(",_");
    if (take(".")) {
      if (text.empty() || text[0] < '0' || text[0] > '9') context_.fail("Format specifier missing precision");
      made.style.precision = number(text);
    }
    made.style.type = take("bcdeEfFgGosxX%");
    if (!text.empty()) context_.fail("expected a format specification; got '" + whole + "'");
    return made;
  }

  std::string print(const Value& value, const std::string& text) {
    if (text.empty()) return to_text(context_, value);
    Specification spec = specification(text);
    context_.charge_bytes(static_cast<size_t>(spec.width + std::max<int64_t>(spec.style.precision, 0)));
    if (value.text()) return print_text(*value.text(), spec, text);
    if (!value.is_number()) context_.fail(std::string("unsupported format string for ") + value.type_name());
    const bool as_integer = value.is_integral() && (spec.style.type == '\0' || std::string_view("bcdoxX").find(spec.style.type) < 6);
    if (!as_integer && spec.style.type != '\0' && std::string_view("eEfFgG%").find(spec.style.type) == std::string_view::npos) {
      refuse(value, text);
    }
    if (!as_integer) return pad(real(value.as_double(), spec), spec, '>');
    if (spec.style.precision >= 0 || (spec.style.grouping == ',' && std::string_view("bcoxX").find(spec.style.type) < 5))
      refuse(value, text);
    if (spec.style.type == 'c') {
      const int64_t code = value.integer();
      if (code < 0 || code > 0x10FFFF || spec.style.sign != '-') refuse(value, text);
      PrintedNumber made;
      append_utf8(made.digits, static_cast<char32_t>(code));
      return pad(std::move(made), spec, '>');
    }
    if (spec.style.type == '\0') spec.style.type = 'd';
    return pad(print_integer(value.integer(), spec.style), spec, '>');
  }

  static PrintedNumber real(double value, const Specification& spec) {
    NumberStyle style = spec.style;
    if (style.type != '%') return print_real(value, style);
    style.type = 'f';
    PrintedNumber made = print_real(value * 100, style);
    made.digits += '%';
    return made;
  }

  std::string print_text(const std::string& text, Specification spec, const std::string& written) const {
    const bool plain = spec.style.sign == '-' && !spec.style.alternate && spec.style.grouping == '\0' && spec.align != '=';
    if (!plain || (spec.style.type != '\0' && spec.style.type != 's')) refuse(Value(text), written);
    const auto all = characters(text);
    const auto kept = spec.style.precision < 0 ? all.size() : std::min(all.size(), static_cast<size_t>(spec.style.precision));
    if (spec.align == '0') spec.align = '\0';
    std::string cut;
    for (size_t i = 0; i < kept; ++i) cut += all[i];
    return pad({"", cut}, spec, '<');
  }

  std::string pad(PrintedNumber number, const Specification& spec, char otherwise) const {
    const char align = spec.align == '0' ? '=' : spec.align == '\0' ? otherwise : spec.align;
    const bool zeros = align == '=' && spec.fill == "0";
    const int64_t prefix = static_cast<int64_t>(number.prefix.size());
    if (zeros || spec.style.grouping != '\0') number.digits = grouped(number.digits, spec.style, zeros ? spec.width - prefix : 0);
    const int64_t missing = std::max<int64_t>(spec.width - prefix - character_count(number.digits), 0);
    const int64_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
    const auto filling = [&](int64_t times) {
      std::string out;
      for (int64_t i = 0; i < times; ++i) out += spec.fill;
      return out;
    };
    if (align == '=') return number.prefix + filling(missing) + number.digits;
    return filling(before) + number.prefix + number.digits + filling(missing - before);
  }

  [[noreturn]] void refuse(const Value& value, const std::string& text) const {
    context_.fail(std::string("expected a format of a ") + value.type_name() + "; got '" + text + "'");
  }

  enum class Numbering { kOpen, kAutomatic, kByHand };
  Context& context_;
  const Arguments& arguments_;
  Numbering numbering_ = Numbering::kOpen;
  size_t next_ = 0;
};

}  // namespace

std::string brace_format(Context& context, std::string_view pattern, const Arguments& arguments) {
  return Formatter(context, arguments).format(pattern, 0);
}

}  // namespace grpo::jinja
