#include "core/json.h"

namespace grpo {

template <class Json>
Json parse_json(std::string_view text) {
  return Json::parse(text);
}

template <class Json>
Json parse_json(std::string_view text, const typename Json::parser_callback_t& on_event) {
  return Json::parse(text, on_event);
}

template <class Json>
bool read_json(std::string_view text, nlohmann::json_sax<Json>& reader) {
  return Json::sax_parse(text, &reader);
}

template <class Json>
Json try_parse_json(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

template nlohmann::json parse_json(std::string_view);
template nlohmann::ordered_json parse_json(std::string_view);
template nlohmann::json parse_json<nlohmann::json>(std::string_view, const nlohmann::json::parser_callback_t&);
template nlohmann::ordered_json parse_json<nlohmann::ordered_json>(std::string_view, const nlohmann::ordered_json::parser_callback_t&);
template bool read_json(std::string_view, nlohmann::json_sax<nlohmann::json>&);
template bool read_json(std::string_view, nlohmann::json_sax<nlohmann::ordered_json>&);
template nlohmann::json try_parse_json(std::string_view);
template nlohmann::ordered_json try_parse_json(std::string_view);

bool is_json(std::string_view text) { return nlohmann::json::accept(text); }

namespace {

template <class Json>
std::string printable(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_text(const nlohmann::json& json, int indent) { return json.dump(indent); }
std::string to_text(const nlohmann::ordered_json& json, int indent) { return json.dump(indent); }
std::string to_printable_text(const nlohmann::json& json) { return printable(json); }
std::string to_printable_text(const nlohmann::ordered_json& json) { return printable(json); }

}  // namespace grpo
