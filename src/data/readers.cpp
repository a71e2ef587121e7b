#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "data/csv.h"
#include "data/row.h"
#include "data/unpack.h"
#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

using json = nlohmann::ordered_json;

/// The line on which each element of a valid JSON array begins.
std::vector<int64_t> element_lines(std::string_view array) {
  std::vector<int64_t> lines;
  int64_t line = 1;
  int depth = 0;
  bool in_string = false;
  bool element_next = false;  // the next character that is no white space begins an element
  for (size_t i = 0; i < array.size(); ++i) {
    const char c = array[i];
    if (c == '\n') ++line;
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
      continue;
    }
    if (element_next && !is_space(c)) {
      if (c != ']') lines.push_back(line);
      element_next = false;
    }
    if (c == '[' || c == '{') element_next = depth++ == 0;
    if (c == ']' || c == '}') --depth;
    if (c == ',' && depth == 1) element_next = true;
    in_string = c == '"';
  }
  return lines;
}

class JsonReader final : public DatasetReader {
  void read(const std::filesystem::path& path, ProblemRows& rows) const override {
    const std::string text = dataset_text(path);
    const json array = parse_at(text, rows.file(), 1);
    if (!array.is_array()) fail_at(rows.file(), std::string("expected an array of objects; got ") + type_name(array));
    const std::vector<int64_t> lines = element_lines(text);
    for (size_t i = 0; i < array.size(); ++i)
      rows.add(lines.at(i), [&](const FieldMapping& mapping, const std::string& place) { return problem_from(array[i], mapping, place); });
  }
};

class JsonLinesReader final : public DatasetReader {
  void read(const std::filesystem::path& path, ProblemRows& rows) const override {
    const std::string whole = dataset_text(path);
    std::string_view text = whole;
    for (int64_t number = 1; !text.empty(); ++number) {
      const size_t length = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, length);
      text.remove_prefix(std::min(length + 1, text.size()));
      if (!trim(line).empty()) rows.add(line, number);
    }
  }
};

/// A table's rows as objects of texts.
class TableReader final : public DatasetReader {
 public:
  TableReader(const std::string& name, const NamedOptions& options, std::string delimiter) {
    read_options(name, options, [&delimiter](ConfigVisitor& v) { v.field("delimiter", delimiter, "One character between fields."); });
    if (delimiter.size() != 1 || delimiter.find_first_of("\"\r\n") != std::string::npos)
      fail_usage(name, "delimiter: expected one character of ASCII, no quote and no line break; got '" + delimiter + "'");
    delimiter_ = delimiter.front();
  }

 private:
  void read(const std::filesystem::path& path, ProblemRows& rows) const override {
    const std::string text = dataset_text(path);
    CsvParser parser(text, delimiter_, rows.file());
    const std::vector<std::string> names = read_header(parser, rows.file());
    while (const auto record = parser.next())
      rows.add(record->line, [&](const FieldMapping& mapping, const std::string& place) {
        return problem_from(as_object(*record, names, place), mapping, place);
      });
  }

  static std::vector<std::string> read_header(CsvParser& parser, const std::string& file) {
    std::vector<std::string> names;
    const auto header = parser.next();
    if (!header) return names;
    for (const auto& name : header->fields) {
      if (!name || name->empty()) fail_at(at_line(file, header->line), "expected the names of columns; got an empty one");
      if (std::ranges::find(names, *name) != names.end())
        fail_at(at_line(file, header->line), "expected columns of different names; got '" + clip_text(*name, 80) + "' twice");
      names.push_back(*name);
    }
    if (names.size() > kMaxKeys)
      fail_at(at_line(file, header->line), "expected at most " + std::to_string(kMaxKeys) + " columns; got more");
    return names;
  }

  static json as_object(const CsvRecord& record, const std::vector<std::string>& names, const std::string& place) {
    if (record.fields.size() != names.size())
      fail_at(place,
              "expected " + std::to_string(names.size()) + " fields, as in the first line; got " + std::to_string(record.fields.size()));
    json row = json::object();
    for (size_t i = 0; i < names.size(); ++i) row[names[i]] = record.fields[i] ? json(*record.fields[i]) : json();
    return row;
  }

  char delimiter_;
};

}  // namespace

ReaderRegistry builtin_readers() {
  ReaderRegistry registry("reader");
  registry.add<JsonReader>("json");
  registry.add<JsonLinesReader>("jsonl");
  registry.add("csv", [](const NamedOptions& options) { return std::make_unique<TableReader>("csv", options, ","); });
  registry.add("tsv", [](const NamedOptions& options) { return std::make_unique<TableReader>("tsv", options, "\t"); });
  return registry;
}

}  // namespace grpo
