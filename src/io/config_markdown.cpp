#include <utility>

#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "io/config_source.h"
#include "io/config_text.h"

namespace grpo {
namespace {

std::string table_cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c == '\n' ? ' ' : c;
  }
  return cell;
}

/// Writes the rows of one section, and its sections after them.
class MarkdownWriter final : public ConfigVisitor {
 public:
  explicit MarkdownWriter(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string take() {
    const std::string head = "| option | type | default | meaning |\n|---|---|---|---|\n";
    return (rows_.empty() ? "" : head + rows_) + sections_;
  }

  void field(std::string_view name, bool& value, std::string_view doc) override { row(name, "true or false", value, doc); }
  void field(std::string_view name, int64_t& value, std::string_view doc, Range range) override {
    row(name, "integer" + range_text(range), value, doc);
  }
  void field(std::string_view name, double& value, std::string_view doc, Range range) override {
    row(name, "number" + range_text(range), value, doc);
  }
  void field(std::string_view name, std::string& value, std::string_view doc) override { row(name, "string", value, doc); }
  void field(std::string_view name, std::optional<int64_t>& value, std::string_view doc, Range range) override {
    row(name, "integer" + range_text(range) + " or null", json_optional(value), doc);
  }
  void field(std::string_view name, std::optional<double>& value, std::string_view doc, Range range) override {
    row(name, "number" + range_text(range) + " or null", json_optional(value), doc);
  }
  void field(std::string_view name, std::vector<std::string>& value, std::string_view doc) override {
    row(name, "string or list of strings", json_list(value), doc);
  }
  void field(std::string_view name, std::vector<double>& value, std::string_view doc) override {
    row(name, "list of numbers", json_list(value), doc);
  }
  void path(std::string_view name, std::string& value, std::string_view doc) override { row(name, "path", value, doc); }

  void choice(std::string_view name, int& index, const std::vector<std::string>& names, std::string_view doc) override {
    row(name, quoted_list(names, "`"), names.at(static_cast<size_t>(index)), doc);
  }

  void part(std::string_view name, std::string& value, std::string_view kind, std::string_view doc) override {
    row(name, "name of " + with_article(kind), value, doc);
  }
  void parts(std::string_view name, std::vector<std::string>& value, std::string_view kind, std::string_view doc) override {
    row(name, "name or names of " + with_article(kind), json_list(value), doc);
  }

  void section(std::string_view name, std::string_view doc, const std::function<void(ConfigVisitor&)>& inside) override {
    heading(path_of(name), doc, inside);
  }

  void list(std::string_view name, std::string_view doc, size_t, const std::function<void(size_t)>& resize,
            const std::function<void(ConfigVisitor&, size_t)>& element) override {
    resize(0);
    resize(1);
    heading(path_of(name) + "[]", doc, [&](ConfigVisitor& visitor) { element(visitor, 0); });
  }

  void options(std::string_view name, NamedOptions&, std::string_view doc) override {
    row(name, "object of free options", JsonValue::Object{}, doc);
  }

 private:
  std::string path_of(std::string_view name) const { return joined_path(prefix_, name); }

  void row(std::string_view name, const std::string& type, JsonValue::Data value, std::string_view doc) {
    rows_ += "| `" + std::string(name) + "` | " + table_cell(type) + " | `" + table_cell(json_text(json_node(std::move(value)), true)) +
             "` | " + table_cell(doc) + " |\n";
  }

  void heading(const std::string& title, std::string_view doc, const std::function<void(ConfigVisitor&)>& inside) {
    MarkdownWriter writer(title);
    inside(writer);
    sections_ += "\n## `" + title + "`\n\n" + std::string(doc) + "\n\n" + writer.take();
  }

  std::string prefix_, rows_, sections_;
};

}  // namespace

std::string markdown_described(const std::function<void(ConfigVisitor&)>& describe_all) {
  MarkdownWriter writer("");
  describe_all(writer);
  return writer.take();
}

}  // namespace grpo
