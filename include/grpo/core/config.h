#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/api.h"

// not public
namespace grpo {

struct OptionPlace;

}  // namespace grpo

namespace GRPO_API grpo {

/// The value of a part's own option as JSON text, a list or an object too. One that a config gave remembers where it stands there.
class OptionValue {
 public:
  OptionValue(std::string json) : text_(std::move(json)) {}  // NOLINT(google-explicit-constructor): {"limit", "5"} is the usual way
  OptionValue(const char* json) : text_(json) {}             // NOLINT(google-explicit-constructor)
  OptionValue(std::string json, std::shared_ptr<const OptionPlace> place) : text_(std::move(json)), place_(std::move(place)) {}

  const std::string& text() const { return text_; }
  operator std::string_view() const { return text_; }  // NOLINT(google-explicit-constructor): it is a text
  const std::shared_ptr<const OptionPlace>& place() const { return place_; }
  bool operator==(const OptionValue& other) const { return text_ == other.text_; }

 private:
  std::string text_;
  std::shared_ptr<const OptionPlace> place_;
};

/// The own options of a reward, a task or another part, by name.
using NamedOptions = std::vector<std::pair<std::string, OptionValue>>;

/// The names of one kind of part that a config can name, and the option that names it.
struct PartTable {
  std::string kind;    // "reward"
  std::string option;  // "reward[].function"
  std::vector<std::string> names;
};
using PartTables = std::vector<PartTable>;

/// What may stand in a number field; checked when a value is read.
struct Range {
  double min = -1.7976931348623157e308;
  double max = 1.7976931348623157e308;
  bool open_min = false;  // min itself is refused
  bool open_max = false;  // max likewise
};
inline constexpr Range kPositive{.min = 0.0, .open_min = true};
inline constexpr Range kNonNegative{.min = 0.0};
inline constexpr Range kFraction{.min = 0.0, .max = 1.0};
inline constexpr Range kDecay{.min = 0.0, .max = 1.0, .open_max = true};  // of a moving average: at 1 nothing would ever enter it
inline constexpr Range kRate{.min = 0.0, .max = 1e6};                     // what is multiplied in float32
inline constexpr Range kCount{.min = 1.0, .max = 2147483647.0};           // what is multiplied with other counts

/// One pass over a described struct. Each config struct has one `void describe(ConfigVisitor&, TheConfig&)`; parsing, printing,
/// checking, the JSON schema and configs/README.md are visitors, so every option is named, defaulted and documented once.
class ConfigVisitor {
 public:
  virtual ~ConfigVisitor() = default;

  virtual void field(std::string_view name, bool& value, std::string_view doc) = 0;
  virtual void field(std::string_view name, int64_t& value, std::string_view doc, Range range = {}) = 0;
  virtual void field(std::string_view name, double& value, std::string_view doc, Range range = {}) = 0;
  virtual void field(std::string_view name, std::string& value, std::string_view doc) = 0;
  virtual void field(std::string_view name, std::optional<int64_t>& value, std::string_view doc, Range range = {}) = 0;
  virtual void field(std::string_view name, std::optional<double>& value, std::string_view doc, Range range = {}) = 0;
  virtual void field(std::string_view name, std::vector<std::string>& value, std::string_view doc) = 0;
  virtual void field(std::string_view name, std::vector<double>& value, std::string_view doc) = 0;
  /// A file or folder: relative paths in a config file are resolved against that file's folder.
  virtual void path(std::string_view name, std::string& value, std::string_view doc) = 0;
  /// One of `names`, by index.
  virtual void choice(std::string_view name, int& index, const std::vector<std::string>& names, std::string_view doc) = 0;
  /// A nested struct.
  virtual void section(std::string_view name, std::string_view doc, const std::function<void(ConfigVisitor&)>& inside) = 0;
  /// A list of nested structs: a visitor that sets values, or documents a throw-away struct, calls `resize(n)` for n elements;
  /// `element(visitor, i)` describes the i-th; `size` is the present length.
  virtual void list(std::string_view name, std::string_view doc, size_t size, const std::function<void(size_t)>& resize,
                    const std::function<void(ConfigVisitor&, size_t)>& element) = 0;
  /// The name of a part of that kind ("reward", "schedule", …), built in or registered, and a list of such names.
  virtual void part(std::string_view name, std::string& value, std::string_view /*kind*/, std::string_view doc) { field(name, value, doc); }
  virtual void parts(std::string_view name, std::vector<std::string>& value, std::string_view /*kind*/, std::string_view doc) {
    field(name, value, doc);
  }
  /// The own options of a part (a reward, a task, …), which describes them where it is made.
  virtual void options(std::string_view name, NamedOptions& value, std::string_view doc) = 0;

  /// An enum whose values are 0, 1, … in the order of `names`.
  template <class E>
  void enumeration(std::string_view name, E& value, const std::vector<std::string>& names, std::string_view doc) {
    int index = static_cast<int>(value);
    choice(name, index, names, doc);
    value = static_cast<E>(index);
  }
};

}  // namespace grpo
