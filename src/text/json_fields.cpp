#include "text/json_fields.h"

#include <limits>

#include "core/json.h"
#include "grpo/core/error.h"
#include "text/regex.h"

namespace grpo::text {
namespace {

[[noreturn]] void fail_type(std::string_view where, std::string_view key, std::string_view wanted, const Json& value) {
  fail(where, "expected \"" + std::string(key) + "\" to be " + std::string(wanted) + "; got " + value.type_name());
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) {
  try {
    return grpo::parse_json(text);
  } catch (const Json::exception& error) {
    fail(where, std::string("expected valid JSON; got ") + error.what());
  }
}

const Json& member(const Json& object, std::string_view key, std::string_view where) {
  GRPO_CHECK(object.is_object(), where, std::string("expected an object; got ") + object.type_name());
  const auto found = object.find(key);
  GRPO_CHECK(found != object.end(), where, "expected the key \"" + std::string(key) + "\"; got an object without it");
  return *found;
}

const Json& optional_member(const Json& object, std::string_view key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

std::string string_member(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = member(object, key, where);
  if (!value.is_string()) fail_type(where, key, "a string", value);
  return value.get<std::string>();
}

std::string string_member(const Json& object, std::string_view key, std::string_view where, std::string_view fallback) {
  return optional_member(object, key).is_null() ? std::string(fallback) : string_member(object, key, where);
}

bool bool_member(const Json& object, std::string_view key, std::string_view where, bool fallback) {
  const Json& value = optional_member(object, key);
  if (value.is_null()) return fallback;
  if (!value.is_boolean()) fail_type(where, key, "true or false", value);
  return value.get<bool>();
}

int64_t int_member(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = member(object, key, where);
  if (!value.is_number_integer()) fail_type(where, key, "an integer", value);
  return value.get<int64_t>();
}

const Json& array_member(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = member(object, key, where);
  if (!value.is_array()) fail_type(where, key, "an array", value);
  return value;
}

int32_t token_id(const Json& value, std::string_view where) {
  const int64_t id = value.is_number_integer() ? value.get<int64_t>() : -1;
  GRPO_CHECK(id >= 0 && id <= std::numeric_limits<int32_t>::max(), where, "expected a token id of at least 0; got " + to_text(value));
  return static_cast<int32_t>(id);
}

std::string pattern_member(const Json& object, std::string_view where) {
  const Json& pattern = member(object, "pattern", where);
  if (optional_member(pattern, "Regex").is_string()) return string_member(pattern, "Regex", where);
  return Regex::escape(string_member(pattern, "String", where));
}

}  // namespace grpo::text
