#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/value.h"

namespace grpo::jinja {

/// A place in a template's source, both counted from 1; the column counts bytes.
struct Position {
  int line = 1;
  int column = 1;
};

/// Throws `Error("[chat_template] line L, column C: message")`.
[[noreturn]] void fail_at(Position at, std::string_view message);

/// The state of one rendering that every operation shares: where it is, and how much work it may still do.
class Context {
 public:
  /// Bounds the time and memory of a rendering: a unit is one evaluated node, one list element or `kBytesPerUnit` of text.
  static constexpr int64_t kBudget = 3'000'000;
  static constexpr int64_t kRetainedUnits = 50;  // for what lives until the rendering ends
  static constexpr int kMaxValueDepth = 100;     // lists and dicts within each other

  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  Position at;

  [[noreturn]] void fail(std::string_view message) const { fail_at(at, message); }
  void charge(int64_t units);
  void charge_bytes(size_t bytes) { charge(1 + static_cast<int64_t>(bytes) / kBytesPerUnit); }

  Value text(std::string value);
  Value list(std::vector<Value> items) { return sequence(std::move(items), false); }
  Value tuple(std::vector<Value> items) { return sequence(std::move(items), true); }
  Value dict(Dict items);
  Value name_space(Namespace contents);
  /// A list of strings.
  Value texts(const std::vector<std::string_view>& items);

 private:
  Value sequence(std::vector<Value> items, bool tuple);
  void check_depth(int depth) const;

  int64_t budget_ = kBudget;
  std::vector<std::shared_ptr<Namespace>> namespaces_;  // emptied at the end, as they may hold themselves
};

/// Sets `depth` from the items.
std::shared_ptr<Sequence> make_sequence(std::vector<Value> items, bool tuple);

/// Arguments bound to parameter names as Python binds them; surplus, unknown and doubled ones fail.
class Parameters {
 public:
  Parameters(const Context& context, std::string_view function, const Arguments& arguments, std::initializer_list<const char*> names);

  const Value* get(size_t index) const { return bound_[index]; }  // null where not given
  const Value& required(size_t index) const;
  int64_t integer(size_t index, int64_t otherwise) const;
  bool flag(size_t index, bool otherwise) const;
  const std::string& required_text(size_t index) const;
  const std::string* text(size_t index) const;  // null where not given or none

 private:
  std::string missing(size_t index) const;

  const Context& context_;
  std::string_view function_;
  std::vector<const char*> names_;
  std::vector<const Value*> bound_;
};

}  // namespace grpo::jinja
