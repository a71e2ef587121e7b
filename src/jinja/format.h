#pragma once

#include <string>
#include <string_view>

#include "jinja/context.h"

namespace grpo::jinja {

/// What `{{ value }}` prints: Python's str(), "" for undefined. Long results are charged to the context.
std::string to_text(Context& context, const Value& value);
/// Python's repr().
std::string to_repr(Context& context, const Value& value);
/// Python's ascii(): a repr() whose characters beyond ASCII are escapes.
std::string to_ascii(Context& context, const Value& value);
/// Python's repr() of a float: the shortest digits that read back the same.
std::string real_repr(double value);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  const std::string* indent = nullptr;  // null: on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
/// Python's json.dumps().
std::string to_json(Context& context, const Value& value, const JsonStyle& style);

/// Python's `pattern % values`: a tuple's items, the values of a dict by name, or any other value itself.
std::string percent_format(Context& context, std::string_view pattern, const Value& values);
/// Python's `pattern.format(…)` as the sandbox has it; the arguments leave the pattern out.
std::string brace_format(Context& context, std::string_view pattern, const Arguments& arguments);

/// Reads JSON text as Python's json.loads() does; throws `Error("[where] …")` on malformed text and integers beyond 64 bits.
Value parse_json(std::string_view text, std::string_view where);

}  // namespace grpo::jinja
