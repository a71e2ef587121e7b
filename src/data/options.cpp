#include "grpo/data/options.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/io/json_config.h"

namespace grpo {
namespace {

/// As a JSON string; bytes that are no UTF-8 become U+FFFD.
std::string quote(const std::string& text) { return to_printable_text(nlohmann::json(text)); }

}  // namespace

void read_options(std::string_view where, const NamedOptions& options, const std::function<void(ConfigVisitor&)>& describe) {
  std::string object = "{";
  for (const auto& [name, value] : options) {
    if (!is_json(value)) fail_usage(where, "expected JSON as the value of '" + name + "'; got " + value.substr(0, 80));
    object += (object.size() > 1 ? ",\n" : "") + quote(name) + ": " + value;
  }
  ConfigSource source;
  source.add_text(object + "}", std::string(where));
  read_described(source, describe);
}

}  // namespace grpo
