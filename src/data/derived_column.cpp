#include "data/derived_column.h"

#include "core/json.h"
#include "data/row.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

using json = nlohmann::ordered_json;

/// The column `path`, or what it leads to.
std::optional<json> value_at(const json& columns, const std::string& path, std::string_view place) {
  const auto whole = columns.find(path);
  if (whole != columns.end() && !whole->is_null()) return *whole;
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
    const std::string name = path.substr(0, dot);
    const auto outer = columns.find(name);
    if (outer == columns.end()) continue;
    const bool is_text = outer->is_string() && trim(outer->get_ref<const std::string&>()).starts_with('{');
    const json inner = is_text ? parse_at(outer->get_ref<const std::string&>(), std::string(place) + " '" + name + "'", 1) : *outer;
    if (!inner.is_object()) continue;
    if (auto value = value_at(inner, path.substr(dot + 1), place)) return value;
  }
  return std::nullopt;
}

std::string text_of_column(const json& columns, const std::string& name, const std::string& pattern, std::string_view place) {
  const auto value = value_at(columns, name, place);
  if (!value) fail_at(place, "expected a column '" + name + "' for '" + clip_text(pattern, 80) + "'; got none");
  if (value->is_string()) return value->get<std::string>();
  if (!value->is_number() && !is_big_integer(*value))
    fail_at(place, "expected text or a number in '" + name + "' for '" + clip_text(pattern, 80) + "'; got " + type_name(*value));
  return to_text(*value);
}

std::string filled(const json& columns, const std::string& pattern, std::string_view place) {
  std::string text;
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c != '{' && c != '}') {
      text += c;
    } else if (at + 1 < pattern.size() && pattern[at + 1] == c) {
      text += pattern[++at];
    } else {
      const size_t end = pattern.find('}', at);
      if (c == '}' || end == std::string::npos)
        fail_at(place, "expected {COLUMN}, and {{ and }} for braces, in '" + clip_text(pattern, 80) + "'; got a brace alone");
      text += text_of_column(columns, pattern.substr(at + 1, end - at - 1), pattern, place);
      at = end;
    }
  }
  return text;
}

}  // namespace

std::optional<json> derived_column(const json& columns, const std::string& name, std::string_view place) {
  if (name.find_first_of("{}") != std::string::npos) return json(filled(columns, name, place));
  return value_at(columns, name, place);
}

}  // namespace grpo
