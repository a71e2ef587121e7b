#include "core/json.h"

namespace grpo {
namespace {

/// Where a text nests more than kDeepestJson lists and objects; npos where it does not. Brackets within strings do not count.
size_t find_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepestJson) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::string_view::npos;
}

/// Trees are copied, written and compared by recursion.
template <class Json>
void refuse_too_deep(std::string_view text) {
  const size_t at = find_too_deep(text);
  if (at == std::string_view::npos) return;
  throw Json::parse_error::create(101, at + 1, "expected at most " + std::to_string(kDeepestJson) + " levels; got more", nullptr);
}

}  // namespace

template <class Json>
Json parse_json(std::string_view text) {
  refuse_too_deep<Json>(text);
  return Json::parse(text);
}

template <class Json>
Json parse_json(std::string_view text, const typename Json::parser_callback_t& on_event) {
  refuse_too_deep<Json>(text);
  return Json::parse(text, on_event);
}

template <class Json>
bool read_json(std::string_view text, nlohmann::json_sax<Json>& reader) {
  return Json::sax_parse(text, &reader);
}

template <class Json>
Json try_parse_json(std::string_view text) {
  if (find_too_deep(text) != std::string_view::npos) return Json(Json::value_t::discarded);
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

bool is_json(std::string_view text) { return find_too_deep(text) == std::string_view::npos && nlohmann::json::accept(text); }

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
