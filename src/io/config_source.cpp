#include "io/config_source.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "core/utf8.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr std::streamsize kMaxFileBytes = 1 << 20;

[[noreturn]] void refuse(const std::string& message) { throw Error(message, ErrorKind::kUsage); }

std::string read_whole(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) refuse(file.string() + ": expected a readable file; cannot open it");
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), kMaxFileBytes + 1);
  if (in.bad()) refuse(file.string() + ": expected a readable file; reading failed");
  if (in.gcount() > kMaxFileBytes) refuse(file.string() + ": expected at most 1 MiB; got more");
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

/// Lays `over` on `base`: objects key by key, an empty one clears, anything else replaces.
void merge(JsonValue& base, JsonValue&& over) {
  auto* into = std::get_if<JsonValue::Object>(&base.data);
  auto* from = std::get_if<JsonValue::Object>(&over.data);
  if (into == nullptr || from == nullptr || from->empty()) {
    base = std::move(over);
    return;
  }
  for (JsonMember& member : *from) {
    JsonMember* present = find_member(*into, member.key);
    if (present == nullptr) {
      into->push_back(std::move(member));
      continue;
    }
    present->line = member.line;
    merge(present->value, std::move(member.value));
  }
}

JsonValue object_of(const std::shared_ptr<const JsonOrigin>& origin, int line) {
  return {.data = JsonValue::Object{}, .origin = origin, .line = line, .raw = {}};
}

[[noreturn]] void refuse_path(const std::string& where, std::string_view path) {
  refuse(where + "expected section.key; got '" + std::string(path.substr(0, 60)) + "'");
}

/// Puts `member.value` at the dotted `path` inside `root`, an object of the same text; the members of an object join what stands there.
/// Refuses where something is in its way.
void place(JsonValue::Object& root, const std::string& path, JsonMember member) {
  const auto origin = member.value.origin;
  const std::string where = json_location(*origin, member.line) + ": " + member.key + ": ";
  JsonValue::Object* object = &root;
  std::string_view rest = path;
  for (size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
    const std::string key(rest.substr(0, dot));
    JsonMember* present = find_member(*object, key);
    if (!present) present = &object->emplace_back(JsonMember{key, member.line, object_of(origin, member.line)});
    object = std::get_if<JsonValue::Object>(&present->value.data);
    if (!object) {
      refuse(where + "expected '" + key + "' to be an object; got " + json_glimpse(present->value) + " on line " +
             std::to_string(present->line));
    }
    rest.remove_prefix(dot + 1);
  }
  JsonMember* present = find_member(*object, rest);
  if (!present) {
    object->push_back({std::string(rest), member.line, std::move(member.value)});
    return;
  }
  auto* inner = std::get_if<JsonValue::Object>(&member.value.data);
  if (!inner || !present->value.get<JsonValue::Object>())
    refuse(where + "expected one value of '" + path + "'; got another on line " + std::to_string(present->line));
  for (JsonMember& part : *inner) {
    const std::string way = path + "." + part.key;
    place(root, way, std::move(part));
  }
}

/// What another program's name stands for here: its value in our words, or nothing if it says what happens anyway.
std::optional<JsonMember> settled(JsonMember member, const ConfigAliases& aliases, const ForeignNames& foreign) {
  const ForeignName* name = find_foreign(foreign, member.key);
  if (name == nullptr || (name->name.ends_with('*') && aliases.contains(member.key))) return member;
  const auto value = name->values.find(json_text(member.value, true));
  if (value == name->values.end()) return member;
  if (value->second.empty()) return std::nullopt;
  member.value.data = parse_json(value->second, member.value.origin, false).data;
  member.value.raw.reset();
  return member;
}

/// Whether the alias is meant: the short name of an option in a section of the same name stands for values that are no objects.
bool is_short(const std::string& key, const std::string& path, bool object) {
  return path != key && !(object && path.starts_with(key + "."));
}

/// Moves top-level members with short names to their places.
void place_aliases(JsonValue::Object& members, const ConfigAliases& aliases, const ForeignNames& foreign) {
  JsonValue::Object placed, flat;
  for (JsonMember& given : members) {
    auto member = settled(std::move(given), aliases, foreign);
    if (!member) continue;
    const auto alias = aliases.find(member->key);
    const bool moves = alias != aliases.end() && is_short(member->key, alias->second, member->value.get<JsonValue::Object>() != nullptr);
    (moves ? flat : placed).push_back(std::move(*member));
  }
  members = std::move(placed);
  for (JsonMember& member : flat) {
    const std::string& path = aliases.find(member.key)->second;
    place(members, path, std::move(member));
  }
}

JsonValue override_value(std::string_view text, const std::shared_ptr<const JsonOrigin>& origin) {
  JsonValue value{.data = std::string(text), .origin = origin, .line = 0, .raw = {}};
  try {
    value = parse_json(text, origin, false);
  } catch (const Error&) {
    // Not JSON: the text itself is the value.
  }
  if (!value.get<std::string>()) value.raw = text;
  return value;
}

/// The way to a value: keys of objects and indices of lists.
using Steps = std::vector<std::variant<std::string, size_t>>;

/// Those of "reward[1].options.k".
Steps steps_of(std::string_view path) {
  Steps steps;
  size_t at = 0;
  while (true) {
    const size_t end = std::min(path.find_first_of(".[", at), path.size());
    if (end == at || steps.size() >= kMaxJsonDepth) refuse_path("command line: ", path);
    steps.emplace_back(std::string(path.substr(at, end - at)));
    for (at = end; at < path.size() && path[at] == '[';) {
      size_t index = 0;
      const auto [stop, error] = std::from_chars(path.data() + at + 1, path.data() + path.size(), index);
      at = static_cast<size_t>(stop - path.data());
      if (error != std::errc() || at >= path.size() || path[at] != ']') refuse_path("command line: ", path);
      steps.emplace_back(index);
      ++at;
    }
    if (at == path.size()) return steps;
    if (path[at] != '.') refuse_path("command line: ", path);
    ++at;
  }
}

/// The value that the steps lead to, made where there is none: objects come into being on the way, and a list may grow by one element.
JsonValue& value_at(JsonValue& root, const Steps& steps, std::string_view path, const std::shared_ptr<const JsonOrigin>& origin) {
  JsonValue* at = &root;
  for (const auto& step : steps) {
    auto* items = std::get_if<JsonValue::Array>(&at->data);
    if (const size_t* index = std::get_if<size_t>(&step)) {
      const std::string where = "command line: " + std::string(path) + ": expected ";
      if (items == nullptr) refuse(where + "an index into a list that was given before; got none there");
      if (*index > items->size())
        refuse(where + "an index up to " + std::to_string(items->size()) + ", the next free one; got " + std::to_string(*index));
      if (*index == items->size()) items->push_back(object_of(origin, 0));
      at = &(*items)[*index];
      continue;
    }
    const auto& key = std::get<std::string>(step);
    if (items != nullptr)
      refuse("command line: " + std::string(path) + ": expected an index such as [0] into the list before '" + key + "'; got a name");
    if (!at->get<JsonValue::Object>()) *at = object_of(origin, 0);
    auto& members = std::get<JsonValue::Object>(at->data);
    JsonMember* member = find_member(members, key);
    at = member ? &member->value : &members.emplace_back(JsonMember{key, 0, object_of(origin, 0)}).value;
  }
  return *at;
}

/// The whole name of an override whose first key is a short one.
std::string full_path(std::string_view key, const ConfigAliases& aliases, bool object) {
  const size_t head = std::min(key.find_first_of(".["), key.size());
  const auto alias = aliases.find(key.substr(0, head));
  const bool leads_on = head < key.size() && key[head] == '.';
  if (alias == aliases.end() || !is_short(alias->first, alias->second, object || leads_on)) return std::string(key);
  return alias->second + std::string(key.substr(head));
}

}  // namespace

std::filesystem::path absolute_path(const std::filesystem::path& path) {
  std::error_code error;
  const auto result = std::filesystem::absolute(path, error);
  GRPO_CHECK(!error, "absolute_path", "expected a current folder; got " + error.message());
  return result.lexically_normal();
}

std::shared_ptr<const JsonOrigin> ConfigSource::Impl::next_origin(std::string name, const std::filesystem::path& folder, bool has_lines) {
  return std::make_shared<const JsonOrigin>(JsonOrigin{std::move(name), absolute_path(folder), texts++, has_lines});
}

const ForeignName* find_foreign(const ForeignNames& names, std::string_view key) {
  const ForeignName* found = nullptr;
  for (const ForeignName& name : names) {
    if (name.name == key) return &name;
    const bool begins = name.name.ends_with('*') && key.starts_with(std::string_view(name.name).substr(0, name.name.size() - 1));
    if (begins && found == nullptr) found = &name;
  }
  return found;
}

ConfigSource::ConfigSource(ConfigAliases aliases, ForeignNames foreign) : impl_(std::make_unique<Impl>()) {
  impl_->aliases = std::move(aliases);
  impl_->foreign = std::move(foreign);
}
void ConfigSource::know(PartTables parts) { impl_->parts = std::move(parts); }

ConfigSource::ConfigSource(ConfigSource&&) noexcept = default;
ConfigSource& ConfigSource::operator=(ConfigSource&&) noexcept = default;
ConfigSource::~ConfigSource() = default;

void ConfigSource::add_file(const std::filesystem::path& file) {
  add_text(read_whole(file), file.string(), absolute_path(file).parent_path());
}

void ConfigSource::add_text(std::string_view json, const std::string& name, const std::filesystem::path& folder) {
  JsonValue root = parse_json(json, impl_->next_origin(name, folder, true), true);
  auto* members = std::get_if<JsonValue::Object>(&root.data);
  if (!members) refuse(json_location(*root.origin, root.line) + ": expected an object; got " + json_glimpse(root));
  place_aliases(*members, impl_->aliases, impl_->foreign);
  if (!members->empty()) merge(impl_->settings, std::move(root));
}

void ConfigSource::add_override(std::string_view argument) {
  const auto origin = impl_->next_origin("command line", ".", false);
  if (find_bad_utf8(argument) != std::string_view::npos) refuse("command line: expected UTF-8; got other bytes");
  const std::string_view text = argument.starts_with("--") ? argument.substr(2) : argument;
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    refuse("command line: expected section.key=value; got '" + std::string(argument.substr(0, 60)) + "'");
  }
  auto member =
      settled({std::string(text.substr(0, equals)), 0, override_value(text.substr(equals + 1), origin)}, impl_->aliases, impl_->foreign);
  if (!member) return;
  const std::string path = full_path(member->key, impl_->aliases, member->value.get<JsonValue::Object>() != nullptr);
  merge(value_at(impl_->settings, steps_of(path), path, origin), std::move(member->value));
}

}  // namespace grpo
