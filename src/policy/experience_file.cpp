#include "policy/experience_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"
#include "policy/experience_fields.h"

namespace grpo {
namespace {

using nlohmann::json;

FinishReason finish_named(const std::string& name) {
  for (const auto reason : {FinishReason::kStop, FinishReason::kStopString, FinishReason::kLength, FinishReason::kPaused}) {
    if (to_string(reason) == name) return reason;
  }
  fail("checkpoint", "expected stop, stop_string, length or paused; got " + name);
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
json written(T& value);

struct JsonWriter {
  json object = json::object();
  template <class T>
  void operator()(const char* name, T& value) {
    object[name] = written(value);
  }
};

template <class T>
json written(T& value) {
  if constexpr (std::is_same_v<T, FinishReason>) {
    return std::string(to_string(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(value) ? json(nullptr) : json(value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (IsVector<T>::value) {
    json list = json::array();
    for (auto& element : value) list.push_back(written(element));
    return list;
  } else {
    JsonWriter writer;
    fields(writer, value);
    return std::move(writer.object);
  }
}

template <class T>
void read_into(const json& saved, T& value);

struct JsonReader {
  const json& object;
  template <class T>
  void operator()(const char* name, T& value) {
    read_into(object.at(name), value);
  }
};

template <class T>
void read_into(const json& saved, T& value) {
  if constexpr (std::is_same_v<T, FinishReason>) {
    value = finish_named(saved.get<std::string>());
  } else if constexpr (std::is_floating_point_v<T>) {
    value = saved.is_null() ? std::numeric_limits<T>::quiet_NaN() : saved.get<T>();
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    saved.get_to(value);
  } else if constexpr (IsVector<T>::value) {
    value.clear();
    for (const json& element : saved.get_ref<const json::array_t&>()) read_into(element, value.emplace_back());
  } else {
    JsonReader reader{saved};
    fields(reader, value);
  }
}

}  // namespace

void write_experience(const std::filesystem::path& file, const Experience& experience) {
  Experience copy = experience;  // archives read and write through one signature
  write_file_atomically(file, to_text(written(copy)));
}

Experience read_experience(const std::filesystem::path& file) {
  Experience experience;
  try {
    read_into(parse_json(file_text(file, "checkpoint")), experience);
  } catch (const json::exception& error) {
    fail("checkpoint", "expected samples in " + file.string() + "; got something else: " + error.what());
  }
  return experience;
}

}  // namespace grpo
