#include "io/config_source.h"

#include <fstream>
#include <system_error>
#include <utility>

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

/// Lays `over` on `base`: objects key by key, anything else replaced.
void merge(JsonValue::Object& base, JsonValue::Object&& over) {
  for (JsonMember& member : over) {
    JsonMember* present = find_member(base, member.key);
    auto* into = present ? std::get_if<JsonValue::Object>(&present->value.data) : nullptr;
    auto* from = std::get_if<JsonValue::Object>(&member.value.data);
    if (into && from) {
      merge(*into, std::move(*from));
    } else if (present) {
      *present = std::move(member);
    } else {
      base.push_back(std::move(member));
    }
  }
}

JsonValue object_of(const std::shared_ptr<const JsonOrigin>& origin, int line) {
  return {.data = JsonValue::Object{}, .origin = origin, .line = line, .raw = {}};
}

/// Puts `member.value` at the dotted `path` inside `root`, an object; refuses where something is in its way.
void place(JsonValue::Object& root, std::string_view path, JsonMember member) {
  const auto origin = member.value.origin;
  const std::string where = json_location(*origin, member.line) + ": " + member.key + ": ";
  JsonValue::Object* object = &root;
  std::string_view rest = path;
  for (int depth = 1;; ++depth) {
    const size_t dot = rest.find('.');
    const std::string key(rest.substr(0, dot));
    if (key.empty() || depth > kMaxJsonDepth) refuse(where + "expected section.key; got '" + std::string(path.substr(0, 60)) + "'");
    JsonMember* present = find_member(*object, key);
    if (dot == std::string_view::npos) {
      if (present)
        refuse(where + "expected one value of '" + std::string(path) + "'; got another on line " + std::to_string(present->line));
      object->push_back({key, member.line, std::move(member.value)});
      return;
    }
    if (!present) present = &object->emplace_back(JsonMember{key, member.line, object_of(origin, member.line)});
    object = std::get_if<JsonValue::Object>(&present->value.data);
    if (!object) {
      refuse(where + "expected '" + key + "' to be an object; got " + json_glimpse(present->value) + " on line " +
             std::to_string(present->line));
    }
    rest.remove_prefix(dot + 1);
  }
}

/// Moves top-level members with short names to their places.
void place_aliases(JsonValue::Object& members, const ConfigAliases& aliases) {
  JsonValue::Object placed, flat;
  for (JsonMember& member : members) {
    const auto alias = aliases.find(member.key);
    (alias == aliases.end() || alias->second == member.key ? placed : flat).push_back(std::move(member));
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

ConfigSource::ConfigSource(ConfigAliases aliases) : impl_(std::make_unique<Impl>()) { impl_->aliases = std::move(aliases); }
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
  place_aliases(*members, impl_->aliases);
  merge(impl_->settings, std::move(*members));
}

void ConfigSource::add_override(std::string_view argument) {
  const auto origin = impl_->next_origin("command line", ".", false);
  if (find_bad_utf8(argument) != std::string_view::npos) refuse("command line: expected UTF-8; got other bytes");
  const std::string_view text = argument.starts_with("--") ? argument.substr(2) : argument;
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    refuse("command line: expected section.key=value; got '" + std::string(argument.substr(0, 60)) + "'");
  }
  const std::string_view key = text.substr(0, equals);
  const auto alias = impl_->aliases.find(key);
  JsonValue::Object members;
  place(members, alias == impl_->aliases.end() ? key : alias->second,
        {std::string(key), 0, override_value(text.substr(equals + 1), origin)});
  merge(impl_->settings, std::move(members));
}

}  // namespace grpo
