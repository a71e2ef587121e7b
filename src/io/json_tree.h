#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace grpo {

/// Where values were written: a file, or the command line.
struct JsonOrigin {
  std::string name;              // as messages name it
  std::filesystem::path folder;  // relative paths start here
  int order = 0;                 // of being read
  bool has_lines = true;         // whether messages give lines
};

struct JsonMember;

/// A JSON value that remembers its place.
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;  // in the order of the text
  using Data = std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object>;

  Data data;                                 // null unless given
  std::shared_ptr<const JsonOrigin> origin;  // null for a value that no text gave
  int line = 0;                              // from 1
  std::optional<std::string> raw;            // the text of a command line's value, for fields that want a string

  template <class T>
  const T* get() const {
    return std::get_if<T>(&data);
  }
};

struct JsonMember {
  std::string key;
  int line = 0;
  JsonValue value;
};

/// A value that no text gave.
JsonValue json_node(JsonValue::Data data);

inline constexpr int kMaxJsonDepth = 64;
inline constexpr size_t kMaxJsonMembers = 4096;  // in one object

/// The member of that key, or nullptr.
const JsonMember* find_member(const JsonValue::Object& object, std::string_view key);
JsonMember* find_member(JsonValue::Object& object, std::string_view key);

/// The one value that `text` is, RFC 8259 plus (where `comments`) // and /* */ comments. Integers must fit int64, other numbers a finite
/// double. Throws a usage Error "name:line: expected …; got …" for anything else: duplicate keys, trailing commas, bad UTF-8, more than
/// kMaxJsonDepth levels or kMaxJsonMembers keys.
JsonValue parse_json(std::string_view text, std::shared_ptr<const JsonOrigin> origin, bool comments);

/// "name:line", or "name" where lines mean nothing.
std::string json_location(const JsonOrigin& origin, int line);

/// Two spaces a level, lists of scalars on one line; `compact`: all on one line. Doubles are the shortest text that reads back equal and
/// always show a point or exponent. Throws Error for NaN, infinities and bad UTF-8.
std::string json_text(const JsonValue& value, bool compact = false);

/// The text of `value` for a message: compact and cut short, "an object" or "a list".
std::string json_glimpse(const JsonValue& value);

}  // namespace grpo
