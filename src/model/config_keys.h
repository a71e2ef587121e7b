#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grpo {

/// The keys of an object in a foreign file: each is used, known to be harmless, or left over. A value of another type is an error that
/// names file and key: 1.7 and true are no integers. Null is absent.
class ConfigKeys {
 public:
  using Json = nlohmann::ordered_json;
  /// `object` must outlive it; `file` is for messages.
  ConfigKeys(const Json& object, std::string file) : object_(object), file_(std::move(file)) {}

  /// Null where absent.
  const Json* find(const std::string& key);
  int64_t integer(const std::string& key);
  int64_t integer(const std::string& key, int64_t fallback);
  double number(const std::string& key, double fallback);
  bool flag(const std::string& key, bool fallback);
  std::string text(const std::string& key, const std::string& fallback);
  /// One id or a list of them; an id that is no integer of 64 bits is an error.
  std::vector<int64_t> ids(const std::string& key);

  /// Marks keys as known; their names stand between spaces.
  void ignore(std::string_view keys);
  void ignore_keys_of(const Json& object);
  /// Throws unless the key is absent, null or `neutral`: what is asked for is not to be had.
  void refuse_unless(const std::string& key, const Json& neutral);
  /// Names in one warning the keys that nobody asked for.
  void warn_of_rest() const;

  const std::string& file() const { return file_; }

 private:
  [[noreturn]] void fail_type(const std::string& key, const std::string& wanted, const Json& value) const;

  const Json& object_;
  std::string file_;
  std::set<std::string> used_;
};

/// The text of a file as an object; throws `Error` located at `file`.
nlohmann::ordered_json parse_object(const std::string& text, const std::string& file);

}  // namespace grpo
