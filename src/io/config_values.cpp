#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/io/json_config.h"

namespace grpo {
namespace {

/// Notes the value of each option under its dotted name.
class ConfigValues final : public ConfigVisitor {
 public:
  ConfigValues(std::string prefix, std::map<std::string, std::string>& values) : prefix_(std::move(prefix)), values_(values) {}

  void field(std::string_view name, bool& value, std::string_view) override { put(name, value); }
  void field(std::string_view name, int64_t& value, std::string_view, Range) override { put(name, value); }
  void field(std::string_view name, double& value, std::string_view, Range) override { put(name, value); }
  void field(std::string_view name, std::string& value, std::string_view) override { put(name, value); }
  void field(std::string_view name, std::optional<int64_t>& value, std::string_view, Range) override {
    put(name, value ? nlohmann::json(*value) : nlohmann::json());
  }
  void field(std::string_view name, std::optional<double>& value, std::string_view, Range) override {
    put(name, value ? nlohmann::json(*value) : nlohmann::json());
  }
  void field(std::string_view name, std::vector<std::string>& value, std::string_view) override { put(name, value); }
  void field(std::string_view name, std::vector<double>& value, std::string_view) override { put(name, value); }
  void path(std::string_view, std::string&, std::string_view) override {}
  void choice(std::string_view name, int& index, const std::vector<std::string>& names, std::string_view) override {
    put(name, names.at(static_cast<size_t>(index)));
  }
  void section(std::string_view name, std::string_view, const std::function<void(ConfigVisitor&)>& inside) override {
    ConfigValues values(prefix_ + std::string(name) + ".", values_);
    inside(values);
  }
  void list(std::string_view name, std::string_view, size_t size, const std::function<void(size_t)>&,
            const std::function<void(ConfigVisitor&, size_t)>& element) override {
    for (size_t i = 0; i < size; ++i) {
      ConfigValues values(prefix_ + std::string(name) + "." + std::to_string(i) + ".", values_);
      element(values, i);
    }
  }
  void options(std::string_view name, NamedOptions& value, std::string_view) override {
    for (const auto& [key, text] : value) values_[prefix_ + std::string(name) + "." + key] = text.text();
  }

 private:
  void put(std::string_view name, const nlohmann::json& value) { values_[prefix_ + std::string(name)] = to_text(value); }

  const std::string prefix_;
  std::map<std::string, std::string>& values_;
};

}  // namespace

std::map<std::string, std::string> values_described(const std::function<void(ConfigVisitor&)>& describe_all) {
  std::map<std::string, std::string> values;
  ConfigValues visitor("", values);
  describe_all(visitor);
  return values;
}

}  // namespace grpo
