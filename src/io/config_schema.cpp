#include <utility>

#include "io/config_source.h"
#include "io/config_text.h"

namespace grpo {
namespace {

JsonMember member(std::string_view key, JsonValue::Data data) { return {std::string(key), 0, json_node(std::move(data))}; }

JsonValue::Array words(const std::vector<std::string>& names) { return std::get<JsonValue::Array>(json_list(names)); }

/// Builds the schema of one struct.
class SchemaWriter final : public ConfigVisitor {
 public:
  explicit SchemaWriter(const PartTables& parts) : parts_(parts) {}

  JsonValue::Object take() {
    return {member("type", "object"), member("properties", std::move(properties_)), member("additionalProperties", false)};
  }

  void field(std::string_view name, bool& value, std::string_view doc) override { put(name, doc, {member("type", "boolean")}, value); }
  void field(std::string_view name, int64_t& value, std::string_view doc, Range range) override {
    put(name, doc, bounded("integer", range, false), value);
  }
  void field(std::string_view name, double& value, std::string_view doc, Range range) override {
    put(name, doc, bounded("number", range, false), value);
  }
  void field(std::string_view name, std::string& value, std::string_view doc) override {
    put(name, doc, {member("type", "string")}, value);
  }
  void field(std::string_view name, std::optional<int64_t>& value, std::string_view doc, Range range) override {
    put(name, doc, bounded("integer", range, true), json_optional(value));
  }
  void field(std::string_view name, std::optional<double>& value, std::string_view doc, Range range) override {
    put(name, doc, bounded("number", range, true), json_optional(value));
  }
  void field(std::string_view name, std::vector<std::string>& value, std::string_view doc) override {
    put(name, doc, {member("type", words({"array", "string"})), member("items", JsonValue::Object{member("type", "string")})},
        json_list(value));
  }
  void field(std::string_view name, std::vector<double>& value, std::string_view doc) override {
    put(name, doc, list_of({member("type", "number")}), json_list(value));
  }
  void path(std::string_view name, std::string& value, std::string_view doc) override { put(name, doc, {member("type", "string")}, value); }

  void choice(std::string_view name, int& index, const std::vector<std::string>& names, std::string_view doc) override {
    put(name, doc, {member("enum", words(names))}, names.at(static_cast<size_t>(index)));
  }

  void part(std::string_view name, std::string& value, std::string_view kind, std::string_view doc) override {
    JsonValue::Object schema{member("type", "string")};
    for (const PartTable& table : parts_) {
      if (table.kind == kind) schema.push_back(member("examples", words(table.names)));
    }
    put(name, doc, std::move(schema), value);
  }

  void section(std::string_view name, std::string_view doc, const std::function<void(ConfigVisitor&)>& inside) override {
    SchemaWriter writer(parts_);
    inside(writer);
    put(name, doc, writer.take());
  }

  void list(std::string_view name, std::string_view doc, size_t, const std::function<void(size_t)>& resize,
            const std::function<void(ConfigVisitor&, size_t)>& element) override {
    resize(0);
    resize(1);
    SchemaWriter writer(parts_);
    element(writer, 0);
    put(name, doc, list_of(writer.take()));
  }

  void options(std::string_view name, NamedOptions&, std::string_view doc) override { put(name, doc, {member("type", "object")}); }

 private:
  static JsonValue::Object bounded(const std::string& type, const Range& range, bool nullable) {
    JsonValue::Object schema{member("type", nullable ? JsonValue::Data(words({type, "null"})) : JsonValue::Data(type))};
    if (has_min(range)) schema.push_back(member(range.open_min ? "exclusiveMinimum" : "minimum", range.min));
    if (has_max(range)) schema.push_back(member(range.open_max ? "exclusiveMaximum" : "maximum", range.max));
    return schema;
  }

  static JsonValue::Object list_of(JsonValue::Object items) { return {member("type", "array"), member("items", std::move(items))}; }

  void put(std::string_view name, std::string_view doc, JsonValue::Object schema, std::optional<JsonValue::Data> value = {}) {
    schema.push_back(member("description", std::string(doc)));
    if (value) schema.push_back(member("default", std::move(*value)));
    properties_.push_back(member(name, std::move(schema)));
  }

  const PartTables& parts_;
  JsonValue::Object properties_;
};

/// The schema of the option at the dotted `path`, or nullptr.
const JsonValue* schema_at(const JsonValue::Object& schema, std::string_view path) {
  const JsonMember* properties = find_member(schema, "properties");
  const auto* options = properties ? properties->value.get<JsonValue::Object>() : nullptr;
  const size_t dot = path.find('.');
  const JsonMember* found = options ? find_member(*options, path.substr(0, dot)) : nullptr;
  if (found == nullptr || dot == std::string_view::npos) return found ? &found->value : nullptr;
  const auto* inner = found->value.get<JsonValue::Object>();
  return inner ? schema_at(*inner, path.substr(dot + 1)) : nullptr;
}

}  // namespace

std::string schema_described(const std::function<void(ConfigVisitor&)>& describe_all, const ConfigAliases& aliases,
                             const PartTables& parts) {
  SchemaWriter writer(parts);
  describe_all(writer);
  JsonValue::Object schema = writer.take();
  JsonValue::Object flat;
  for (const auto& [name, path] : aliases) {
    if (const JsonValue* target = schema_at(schema, path)) flat.push_back({name, 0, *target});
  }
  auto& properties = std::get<JsonValue::Object>(find_member(schema, "properties")->value.data);
  for (JsonMember& option : flat) {
    if (!find_member(properties, option.key)) properties.push_back(std::move(option));
  }
  schema.insert(schema.begin(), member("$schema", "https://json-schema.org/draft/2020-12/schema"));
  return json_text(json_node(std::move(schema))) + "\n";
}

}  // namespace grpo
