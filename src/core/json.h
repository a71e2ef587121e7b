#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// JSON texts in and out. The library's own templates for that are compiled here alone: they cost every file that uses them three seconds.
// Json: nlohmann::json, whose keys are sorted, or nlohmann::ordered_json, whose objects keep their order and are slow with many keys.
namespace grpo {

/// Lists and objects within each other that a text may have; one with more is no JSON to any of these functions but `read_json`, whose
/// reader keeps no tree.
inline constexpr int kDeepestJson = 200;

/// Throws nlohmann::json::parse_error.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text);

/// `on_event` sees every value and may leave it out or throw.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const typename Json::parser_callback_t& on_event);

/// Tells `reader` what the text holds; false where it stopped.
template <class Json>
bool read_json(std::string_view text, nlohmann::json_sax<Json>& reader);

/// Discarded (`is_discarded`) if the text is no JSON.
template <class Json = nlohmann::json>
Json try_parse_json(std::string_view text);

bool is_json(std::string_view text);

/// On one line where `indent` is negative. Throws nlohmann::json::type_error where a string is no UTF-8.
std::string to_text(const nlohmann::json& json, int indent = -1);
std::string to_text(const nlohmann::ordered_json& json, int indent = -1);

/// On one line; bytes that are no UTF-8 become U+FFFD.
std::string to_printable_text(const nlohmann::json& json);
std::string to_printable_text(const nlohmann::ordered_json& json);

}  // namespace grpo
