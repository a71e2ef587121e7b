#include "grpo/data/options.h"

#include <nlohmann/json.hpp>

#include "grpo/core/error.h"
#include "grpo/io/json_config.h"

namespace grpo {
namespace {

/// As a JSON string; bytes that are no UTF-8 become U+FFFD.
std::string quote(const std::string& text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

}  // namespace

void read_options(std::string_view where, const NamedOptions& options, const std::function<void(ConfigVisitor&)>& describe) {
  std::string object = "{";
  for (const auto& [name, value] : options) {
    if (!nlohmann::json::accept(value)) fail_usage(where, "expected JSON as the value of '" + name + "'; got " + value.substr(0, 80));
    object += (object.size() > 1 ? ",\n" : "") + quote(name) + ": " + value;
  }
  ConfigSource source;
  source.add_text(object + "}", std::string(where));
  read_described(source, describe);
}

}  // namespace grpo
