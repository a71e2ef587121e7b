#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "io/config_source.h"
#include "io/config_text.h"

namespace grpo {
namespace {

constexpr size_t kMaxListLength = 1024;
constexpr size_t kMaxFaultsShown = 50;

/// A hint where a part of some kind has that name.
std::string table_of(const PartTables& tables, std::string_view name) {
  for (const PartTable& table : tables) {
    if (std::ranges::find(table.names, name) != table.names.end())
      return " ('" + std::string(name) + "' is " + with_article(table.kind) + ": " + table.option + " names it)";
  }
  return "";
}

/// The faults of a reading, and what is needed to name them once all options are known.
class Findings {
 public:
  Findings(const ConfigAliases& aliases, const ForeignNames& foreign, const PartTables& parts) : foreign_(foreign), parts_(parts) {
    for (const auto& [name, path] : aliases) aliases_.push_back(name);
  }

  const PartTables& parts() const { return parts_; }

  void know(const std::string& path) { known_.push_back(path); }

  void fault(const JsonOrigin& origin, int line, const std::string& path, const std::string& message) {
    faults_.push_back({origin.order, line, json_location(origin, line) + ": " + path + ": " + message});
  }

  void unknown(const JsonMember& member, const std::string& prefix, std::vector<std::string> siblings) {
    unknown_.push_back({&member, prefix, std::move(siblings)});
  }

  /// Throws if anything was found.
  void report() {
    for (auto& [member, prefix, siblings] : unknown_) {
      fault(*member->value.origin, member->line, joined_path(prefix, member->key), complaint(member->key, prefix, siblings));
    }
    if (faults_.empty()) return;
    std::stable_sort(faults_.begin(), faults_.end(),
                     [](const Fault& a, const Fault& b) { return std::pair(a.order, a.line) < std::pair(b.order, b.line); });
    std::string text;
    for (size_t i = 0; i < std::min(faults_.size(), kMaxFaultsShown); ++i) text += (i == 0 ? "" : "\n") + faults_[i].text;
    if (faults_.size() > kMaxFaultsShown) text += "\n… and " + std::to_string(faults_.size() - kMaxFaultsShown) + " more faults";
    throw Error(text, ErrorKind::kUsage);
  }

 private:
  struct Fault {
    int order, line;
    std::string text;
  };
  struct Unknown {
    const JsonMember* member;
    std::string prefix;
    std::vector<std::string> siblings;
  };

  std::string complaint(const std::string& key, const std::string& prefix, std::vector<std::string> siblings) const {
    const ForeignName* foreign = find_foreign(foreign_, key);
    if (foreign != nullptr && !foreign->answer.empty()) return "unknown option: " + foreign->answer;
    if (prefix.empty()) siblings.insert(siblings.end(), aliases_.begin(), aliases_.end());
    const std::string hint = did_you_mean(key, siblings);
    return "unknown option" + (hint.empty() ? elsewhere(key) : hint);
  }

  /// A hint where an option of exactly that name stands in another section.
  std::string elsewhere(const std::string& key) const {
    const auto found = std::find_if(known_.begin(), known_.end(), [&](const std::string& path) { return path.ends_with("." + key); });
    return found == known_.end() ? "" : " (did you mean '" + *found + "'?)";
  }

  const ForeignNames& foreign_;
  const PartTables& parts_;
  std::vector<std::string> aliases_, known_;
  std::vector<Fault> faults_;
  std::vector<Unknown> unknown_;
};

/// Reads one object; finish() then reports the keys that no field took.
class ConfigReader final : public ConfigVisitor {
 public:
  /// `object` null: nothing is given, the fields only become known.
  ConfigReader(Findings& findings, const JsonValue::Object* object, std::string prefix)
      : findings_(findings), object_(object), prefix_(std::move(prefix)) {}

  void finish() {
    if (object_ == nullptr) return;
    for (const JsonMember& member : *object_) {
      if (std::find(names_.begin(), names_.end(), member.key) == names_.end()) findings_.unknown(member, prefix_, names_);
    }
  }

  void field(std::string_view name, bool& value, std::string_view) override {
    if (const JsonValue* given = find(name)) {
      const bool* truth = given->get<bool>();
      truth ? void(value = *truth) : mistyped(*given, path_of(name), "true or false");
    }
  }

  void field(std::string_view name, int64_t& value, std::string_view, Range range) override {
    if (const JsonValue* given = find(name)) value = integer(*given, name, range).value_or(value);
  }

  void field(std::string_view name, double& value, std::string_view, Range range) override {
    if (const JsonValue* given = find(name)) value = number(*given, path_of(name), range).value_or(value);
  }

  void field(std::string_view name, std::string& value, std::string_view) override {
    if (const JsonValue* given = find(name)) value = string(*given, path_of(name), "a string").value_or(value);
  }

  void field(std::string_view name, std::optional<int64_t>& value, std::string_view, Range range) override {
    const JsonValue* given = find(name);
    if (given == nullptr) return;
    if (given->get<std::nullptr_t>()) {
      value.reset();
    } else if (const auto read = integer(*given, name, range)) {
      value = read;
    }
  }

  void field(std::string_view name, std::optional<double>& value, std::string_view, Range range) override {
    const JsonValue* given = find(name);
    if (given == nullptr) return;
    if (given->get<std::nullptr_t>()) {
      value.reset();
    } else if (const auto read = number(*given, path_of(name), range)) {
      value = read;
    }
  }

  void field(std::string_view name, std::vector<std::string>& value, std::string_view) override {
    read_items(name, value, "a string or a list of strings",
               [&](const JsonValue& item, const std::string& path) { return string(item, path, "a string"); });
  }

  void field(std::string_view name, std::vector<double>& value, std::string_view) override {
    read_items(name, value, "a list of numbers", [&](const JsonValue& item, const std::string& path) { return number(item, path, {}); });
  }

  void path(std::string_view name, std::string& value, std::string_view) override {
    const JsonValue* given = find(name);
    const auto read = given ? string(*given, path_of(name), "a path") : std::nullopt;
    if (read) value = read->empty() ? "" : (given->origin->folder / *read).lexically_normal().string();
  }

  void choice(std::string_view name, int& index, const std::vector<std::string>& names, std::string_view) override {
    const JsonValue* given = find(name);
    if (given == nullptr) return;
    const std::string expected = "one of " + quoted_list(names, "'");
    const auto word = string(*given, path_of(name), expected);
    if (!word) return;
    const auto found = std::find(names.begin(), names.end(), *word);
    if (found == names.end()) {
      const std::string elsewhere = table_of(findings_.parts(), *word);
      mistyped(*given, path_of(name), expected, elsewhere.empty() ? did_you_mean(*word, names) : elsewhere);
    } else {
      index = static_cast<int>(found - names.begin());
    }
  }

  void part(std::string_view name, std::string& value, std::string_view kind, std::string_view doc) override {
    field(name, value, doc);
    const JsonMember* given = object_ ? find_member(*object_, name) : nullptr;
    if (given != nullptr) check_part(given->value, path_of(name), value, kind);
  }

  void parts(std::string_view name, std::vector<std::string>& value, std::string_view kind, std::string_view doc) override {
    field(name, value, doc);
    const JsonMember* given = object_ ? find_member(*object_, name) : nullptr;
    for (size_t i = 0; given != nullptr && i < value.size(); ++i) check_part(given->value, path_of(name), value[i], kind);
  }

  void section(std::string_view name, std::string_view, const std::function<void(ConfigVisitor&)>& inside) override {
    const JsonValue* given = find(name);
    if (given && !given->get<JsonValue::Object>()) mistyped(*given, path_of(name), "an object");
    ConfigReader reader(findings_, given ? given->get<JsonValue::Object>() : nullptr, path_of(name));
    inside(reader);
    reader.finish();
  }

  void list(std::string_view name, std::string_view, size_t, const std::function<void(size_t)>& resize,
            const std::function<void(ConfigVisitor&, size_t)>& element) override {
    const JsonValue* given = find(name);
    if (given == nullptr) return;
    const auto* items = given->get<JsonValue::Array>();
    if (items == nullptr) return mistyped(*given, path_of(name), "a list of objects");
    if (items->size() > kMaxListLength) return mistyped(*given, path_of(name), "at most " + std::to_string(kMaxListLength) + " elements");
    resize(0);  // elements start from their defaults
    resize(items->size());
    for (size_t i = 0; i < items->size(); ++i) {
      const JsonValue& item = (*items)[i];
      if (!item.get<JsonValue::Object>()) mistyped(item, element_path(name, i), "an object");
      ConfigReader reader(findings_, item.get<JsonValue::Object>(), element_path(name, i));
      element(reader, i);
      reader.finish();
    }
  }

  void options(std::string_view name, NamedOptions& value, std::string_view) override {
    const JsonValue* given = find(name);
    if (given == nullptr) return;
    const auto* members = given->get<JsonValue::Object>();
    if (members == nullptr) return mistyped(*given, path_of(name), "an object");
    value.clear();
    for (const JsonMember& member : *members)
      value.emplace_back(
          member.key, OptionValue(json_text(member.value, true), std::make_shared<const OptionPlace>(OptionPlace{path_of(name), member})));
  }

 private:
  std::string path_of(std::string_view name) const { return joined_path(prefix_, name); }
  std::string element_path(std::string_view name, size_t i) const { return path_of(name) + "[" + std::to_string(i) + "]"; }

  /// What is given for that field, or nullptr.
  const JsonValue* find(std::string_view name) {
    names_.emplace_back(name);
    findings_.know(path_of(name));
    const JsonMember* member = object_ ? find_member(*object_, name) : nullptr;
    return member ? &member->value : nullptr;
  }

  void mistyped(const JsonValue& given, const std::string& path, const std::string& expected, const std::string& hint = "") {
    findings_.fault(*given.origin, given.line, path, "expected " + expected + "; got " + json_glimpse(given) + hint);
  }

  /// Where the names of that kind are known, whether `value` is one; an empty text names none.
  void check_part(const JsonValue& given, const std::string& path, const std::string& value, std::string_view kind) {
    for (const PartTable& table : findings_.parts()) {
      const bool named = value.empty() || table.kind != kind || std::ranges::find(table.names, value) != table.names.end();
      if (!named) findings_.fault(*given.origin, given.line, path, unknown_part(findings_.parts(), kind, value));
    }
  }

  static bool in_range(double value, const Range& range) {
    return (range.open_min ? value > range.min : value >= range.min) && (range.open_max ? value < range.max : value <= range.max);
  }

  std::optional<int64_t> integer(const JsonValue& given, std::string_view name, const Range& range) {
    std::optional<int64_t> result;
    if (const int64_t* whole = given.get<int64_t>()) result = *whole;
    constexpr double kExact = 0x1p53;  // beyond it a double does not name one integer
    if (const double* real = given.get<double>(); real && std::trunc(*real) == *real && std::abs(*real) <= kExact) {
      result = static_cast<int64_t>(*real);
    }
    if (result && in_range(static_cast<double>(*result), range)) return result;
    mistyped(given, path_of(name), "an integer" + range_text(range));
    return std::nullopt;
  }

  std::optional<double> number(const JsonValue& given, const std::string& path, const Range& range) {
    std::optional<double> result;
    if (const int64_t* whole = given.get<int64_t>()) result = static_cast<double>(*whole);
    if (const double* real = given.get<double>()) result = *real;
    if (result && in_range(*result, range)) return result;
    mistyped(given, path, "a number" + range_text(range));
    return std::nullopt;
  }

  std::optional<std::string> string(const JsonValue& given, const std::string& path, const std::string& expected) {
    if (const std::string* text = given.get<std::string>()) return *text;
    if (given.raw) return given.raw;
    mistyped(given, path, expected);
    return std::nullopt;
  }

  template <class T, class Read>
  void read_items(std::string_view name, std::vector<T>& value, const std::string& expected, const Read& read) {
    const JsonValue* given = find(name);
    if (given == nullptr) return;
    if (std::is_same_v<T, std::string> && given->get<std::string>()) {  // one text stands for a list of it
      if (auto item = read(*given, path_of(name))) value = {std::move(*item)};
      return;
    }
    const auto* items = given->get<JsonValue::Array>();
    if (items == nullptr) return mistyped(*given, path_of(name), expected);
    value.clear();
    for (size_t i = 0; i < items->size(); ++i) {
      if (auto item = read((*items)[i], element_path(name, i))) value.push_back(std::move(*item));
    }
  }

  Findings& findings_;
  const JsonValue::Object* object_;
  std::string prefix_;
  std::vector<std::string> names_;
};

}  // namespace

std::string unknown_part(const PartTables& tables, std::string_view kind, std::string_view name) {
  std::string hint = table_of(tables, name);
  for (const PartTable& table : tables) {
    if (!hint.empty() || table.kind != kind) continue;
    hint = did_you_mean(name, table.names);
    if (hint.empty()) hint = table.names.empty() ? " (none is registered)" : " (there are " + quoted_list(table.names, "'") + ")";
  }
  return "expected the name of " + with_article(kind) + "; got '" + std::string(name) + "'" + hint;
}

void read_described(const ConfigSource& source, const std::function<void(ConfigVisitor&)>& describe_all) {
  Findings findings(source.impl_->aliases, source.impl_->foreign, source.impl_->parts);
  ConfigReader reader(findings, source.impl_->settings.get<JsonValue::Object>(), "");
  describe_all(reader);
  reader.finish();
  findings.report();
}

void read_described(std::string_view where, const NamedOptions& options, const std::function<void(ConfigVisitor&)>& describe_all) {
  const auto origin = std::make_shared<const JsonOrigin>(JsonOrigin{std::string(where), absolute_path("."), 0, false});
  JsonValue::Object members;
  std::string prefix;
  for (const auto& [name, value] : options) {
    if (find_bad_utf8(name) != std::string_view::npos) fail_usage(where, "expected names of options in UTF-8; got other bytes");
    if (find_member(members, name)) fail_usage(where, "expected each option once; got '" + name + "' again");
    const auto& place = value.place();
    members.push_back(place ? place->member : JsonMember{name, 0, parse_json(value, origin, false)});
    if (place) prefix = place->options;
  }
  const ForeignNames no_names;
  const PartTables no_parts;
  Findings findings({}, no_names, no_parts);
  ConfigReader reader(findings, &members, prefix);
  describe_all(reader);
  reader.finish();
  findings.report();
}

}  // namespace grpo
