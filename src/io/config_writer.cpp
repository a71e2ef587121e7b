#include <utility>

#include "grpo/core/error.h"
#include "io/config_source.h"
#include "io/config_text.h"

namespace grpo {
namespace {

/// Builds the object of one struct.
class ConfigWriter final : public ConfigVisitor {
 public:
  JsonValue take() { return json_node(std::move(object_)); }

  void field(std::string_view name, bool& value, std::string_view) override { put(name, value); }
  void field(std::string_view name, int64_t& value, std::string_view, Range) override { put(name, value); }
  void field(std::string_view name, double& value, std::string_view, Range) override { put(name, value); }
  void field(std::string_view name, std::string& value, std::string_view) override { put(name, value); }
  void field(std::string_view name, std::optional<int64_t>& value, std::string_view, Range) override { put(name, json_optional(value)); }
  void field(std::string_view name, std::optional<double>& value, std::string_view, Range) override { put(name, json_optional(value)); }
  void field(std::string_view name, std::vector<std::string>& value, std::string_view) override { put(name, json_list(value)); }
  void field(std::string_view name, std::vector<double>& value, std::string_view) override { put(name, json_list(value)); }

  void path(std::string_view name, std::string& value, std::string_view) override {
    put(name, value.empty() ? value : absolute_path(value).string());
  }

  void choice(std::string_view name, int& index, const std::vector<std::string>& names, std::string_view) override {
    GRPO_CHECK(index >= 0 && static_cast<size_t>(index) < names.size(), "write_config",
               "expected a value with a name for '" + std::string(name) + "'; got " + std::to_string(index));
    put(name, names[static_cast<size_t>(index)]);
  }

  void section(std::string_view name, std::string_view, const std::function<void(ConfigVisitor&)>& inside) override {
    ConfigWriter writer;
    inside(writer);
    put(name, std::move(writer.object_));
  }

  void list(std::string_view name, std::string_view, size_t size, const std::function<void(size_t)>&,
            const std::function<void(ConfigVisitor&, size_t)>& element) override {
    JsonValue::Array items;
    for (size_t i = 0; i < size; ++i) {
      ConfigWriter writer;
      element(writer, i);
      items.push_back(writer.take());
    }
    put(name, std::move(items));
  }

  void options(std::string_view name, NamedOptions& value, std::string_view) override {
    JsonValue::Object members;
    for (const auto& [key, text] : value) {
      const auto origin = std::make_shared<const JsonOrigin>(JsonOrigin{"option '" + key + "'", {}, 0, false});
      members.push_back({key, 0, parse_json(text, origin, false)});
    }
    put(name, std::move(members));
  }

 private:
  void put(std::string_view name, JsonValue::Data data) { object_.push_back({std::string(name), 0, json_node(std::move(data))}); }

  JsonValue::Object object_;
};

}  // namespace

std::string write_described(const std::function<void(ConfigVisitor&)>& describe_all) {
  ConfigWriter writer;
  describe_all(writer);
  return json_text(writer.take()) + "\n";
}

}  // namespace grpo
