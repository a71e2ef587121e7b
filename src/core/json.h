#pragma once

#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// JSON texts in and out. The library's own templates for that are compiled here alone: they cost every file that uses them three seconds.
// Json: nlohmann::json, whose keys are sorted, or nlohmann::ordered_json, whose objects keep their order and are slow with many keys.
namespace grpo {

/// What a text may have; trees are copied, written and compared by recursion.
struct JsonLimits {
  size_t depth = 200;                                // lists and objects within each other
  size_t keys = std::numeric_limits<size_t>::max();  // of one object
  bool unique_keys = false;                          // else the last of equal ones is taken
};

/// The `id` of the parse_error that is thrown for a text beyond the limits; its message, after the library's "…: ", is one of this
/// library's.
inline constexpr int kJsonLimitError = 190;

/// Throws nlohmann::json::exception. Integers beyond 64 bits keep their digits, see is_big_integer.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const JsonLimits& limits = {});

/// Tells `reader` what the text holds; false where it stopped. Without limits: nothing is kept.
template <class Json>
bool read_json(std::string_view text, nlohmann::json_sax<Json>& reader);

/// Discarded (`is_discarded`) if the text is no JSON within the usual limits.
template <class Json = nlohmann::json>
Json try_parse_json(std::string_view text);

bool is_json(std::string_view text);

/// Whether a value is an integer beyond 64 bits. The library has no type for it: it is kept as the bytes of its digits, which no other
/// value of a JSON text is, and `to_text` writes it as it stood.
template <class Json>
bool is_big_integer(const Json& value) {
  return value.is_binary();
}

/// "number", "string", …: what a message calls a value.
template <class Json>
const char* type_name(const Json& value) {
  return is_big_integer(value) ? "number" : value.type_name();
}

/// On one line where `indent` is negative. Throws nlohmann::json::type_error where a string is no UTF-8.
std::string to_text(const nlohmann::json& json, int indent = -1);
std::string to_text(const nlohmann::ordered_json& json, int indent = -1);

/// On one line; bytes that are no UTF-8 become U+FFFD.
std::string to_printable_text(const nlohmann::json& json);
std::string to_printable_text(const nlohmann::ordered_json& json);

}  // namespace grpo
