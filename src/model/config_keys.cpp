#include "model/config_keys.h"

#include <algorithm>
#include <cstdlib>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"

namespace grpo {
namespace {

std::string glimpse(const ConfigKeys::Json& value) { return to_printable_text(value).substr(0, 60); }

/// Whether it is one that int64_t holds.
bool is_integer(const ConfigKeys::Json& value) {
  return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
}

}  // namespace

void ConfigKeys::fail_type(const std::string& key, const std::string& wanted, const Json& value) const {
  fail(file_, "expected " + wanted + " for '" + key + "'; got " + glimpse(value));
}

const ConfigKeys::Json* ConfigKeys::find(const std::string& key) {
  used_.insert(key);
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

int64_t ConfigKeys::integer(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) fail(file_, "expected an integer '" + key + "'; got none");
  if (!is_integer(*value)) fail_type(key, "an integer of 64 bits", *value);
  return value->get<int64_t>();
}

int64_t ConfigKeys::integer(const std::string& key, int64_t fallback) { return find(key) == nullptr ? fallback : integer(key); }

double ConfigKeys::number(const std::string& key, double fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (is_big_integer(*value)) return std::strtod(to_text(*value).c_str(), nullptr);
  if (!value->is_number()) fail_type(key, "a number", *value);
  return value->get<double>();
}

bool ConfigKeys::flag(const std::string& key, bool fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fail_type(key, "true or false", *value);
  return value->get<bool>();
}

std::string ConfigKeys::text(const std::string& key, const std::string& fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) fail_type(key, "text", *value);
  return value->get<std::string>();
}

std::vector<int64_t> ConfigKeys::ids(const std::string& key) {
  std::vector<int64_t> ids;
  const Json* value = find(key);
  if (value == nullptr) return ids;
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const auto& id : list) {
    if (!is_integer(id)) fail(file_, "expected integer ids in '" + key + "'; got " + glimpse(id));
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

void ConfigKeys::ignore(std::string_view keys) {
  while (!keys.empty()) {
    const size_t length = std::min(keys.find(' '), keys.size());
    used_.emplace(keys.substr(0, length));
    keys.remove_prefix(std::min(length + 1, keys.size()));
  }
}

void ConfigKeys::ignore_keys_of(const Json& object) {
  for (const auto& [key, value] : object.items()) used_.insert(key);
}

void ConfigKeys::refuse_unless(const std::string& key, const Json& neutral) {
  const Json* value = find(key);
  if (value == nullptr || *value == neutral) return;
  fail(file_, "expected no '" + key + "'" + (neutral.is_null() ? "" : " but " + glimpse(neutral)) + ", which is not supported; got " +
                  glimpse(*value));
}

void ConfigKeys::warn_of_rest() const {
  std::string rest;
  for (const auto& [key, value] : object_.items()) {
    if (!used_.contains(key)) rest.append(rest.empty() ? "'" : ", '").append(key) += '\'';
  }
  if (!rest.empty()) log_warn(file_ + ": not known here and not used: " + rest);
}

nlohmann::ordered_json parse_object(const std::string& text, const std::string& file) {
  try {
    auto json = parse_json<nlohmann::ordered_json>(text);
    GRPO_CHECK(json.is_object(), file, "expected a JSON object");
    return json;
  } catch (const nlohmann::json::exception& error) {
    fail(file, std::string("expected JSON: ") + error.what());
  }
}

}  // namespace grpo
