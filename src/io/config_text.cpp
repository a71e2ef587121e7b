#include "io/config_text.h"

namespace grpo {
namespace {

std::string bound_text(double value) {
  const std::string text = json_text(json_node(value));
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

template <class T>
JsonValue::Data list_of(const std::vector<T>& values) {
  JsonValue::Array items;
  for (const T& value : values) items.push_back(json_node(value));
  return items;
}

}  // namespace

std::string range_text(const Range& range) {
  if (has_min(range) && has_max(range))
    return (range.open_min ? " in (" : " in [") + bound_text(range.min) + ", " + bound_text(range.max) + (range.open_max ? ")" : "]");
  if (has_min(range)) return (range.open_min ? " > " : " >= ") + bound_text(range.min);
  return has_max(range) ? (range.open_max ? " < " : " <= ") + bound_text(range.max) : "";
}

std::string quoted_list(const std::vector<std::string>& names, const std::string& quote) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quote + name + quote;
  return text;
}

std::string joined_path(const std::string& section, std::string_view name) {
  return section.empty() ? std::string(name) : section + "." + std::string(name);
}

JsonValue::Data json_optional(const std::optional<int64_t>& value) {
  if (value) return *value;
  return nullptr;
}

JsonValue::Data json_optional(const std::optional<double>& value) {
  if (value) return *value;
  return nullptr;
}

JsonValue::Data json_list(const std::vector<std::string>& values) { return list_of(values); }
JsonValue::Data json_list(const std::vector<double>& values) { return list_of(values); }

}  // namespace grpo
