#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace grpo::jinja {

class Context;
class Value;
struct Arguments;
struct Sequence;
class Dict;
struct Namespace;
struct Callable;
struct Loop;

/// The absent value: prints as "", is false, and fails with `why` where anything is asked of it.
struct Undefined {
  std::shared_ptr<const std::string> why;
};
struct None {};

/// A value of a template, as Python has them. Lists, tuples and dicts never change once made (the sandbox forbids it), so they are shared
/// and cannot form cycles.
class Value {
 public:
  using Text = std::shared_ptr<const std::string>;
  using Data = std::variant<Undefined, None, bool, int64_t, double, Text, std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>,
                            std::shared_ptr<Namespace>, std::shared_ptr<const Callable>, std::shared_ptr<const Loop>>;

  Value() : data_(None{}) {}
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::string value) : data_(std::make_shared<const std::string>(std::move(value))) {}
  explicit Value(const char*) = delete;  // would become a bool
  explicit Value(Data data) : data_(std::move(data)) {}
  static Value undefined(std::string why) { return Value(Data(Undefined{std::make_shared<const std::string>(std::move(why))})); }

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  /// True for what Python's `int` covers: integers and booleans.
  bool is_integral() const { return std::holds_alternative<int64_t>(data_) || std::holds_alternative<bool>(data_); }
  bool is_number() const { return is_integral() || std::holds_alternative<double>(data_); }

  /// Null unless the value is of that type.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* text() const { return pointee<Text>(); }
  const Sequence* sequence() const { return pointee<std::shared_ptr<const Sequence>>(); }
  const Dict* dict() const { return pointee<std::shared_ptr<const Dict>>(); }
  Namespace* name_space() const { return pointee<std::shared_ptr<Namespace>>(); }
  const Callable* callable() const { return pointee<std::shared_ptr<const Callable>>(); }
  const Loop* loop() const { return pointee<std::shared_ptr<const Loop>>(); }
  const Data& data() const { return data_; }

  int64_t integer() const;        // of an integral value
  double as_double() const;       // of a number
  bool truthy() const;            // Python's bool()
  const char* type_name() const;  // Python's name of the type, for messages
  int64_t weight() const;         // units of work to go through a string once; 1 for anything else
  int depth() const;              // 0 for what holds nothing

 private:
  template <typename Pointer>
  typename Pointer::element_type* pointee() const {
    const Pointer* pointer = std::get_if<Pointer>(&data_);
    return pointer ? pointer->get() : nullptr;
  }

  Data data_;
};

/// How many bytes of text are worth one unit of `Context::kBudget`.
constexpr int64_t kBytesPerUnit = 32;

/// A list or a tuple.
struct Sequence {
  std::vector<Value> items;
  bool tuple = false;
  bool group = false;  // a pair of `groupby`, whose items are also named `grouper` and `list`
  int depth = 1;
};

struct KeyHash {
  size_t operator()(const Value& key) const;
};
struct KeyEqual {
  bool operator()(const Value& left, const Value& right) const;
};

/// A dict in order of insertion. Keys are strings, numbers, booleans or None, equal as in Python (1 == 1.0 == True).
class Dict {
 public:
  static bool hashable(const Value& key);
  void set(const Value& key, Value value);
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const { return find(Value(std::string(key))); }
  const std::vector<std::pair<Value, Value>>& items() const { return items_; }
  int depth() const { return depth_; }

 private:
  std::vector<std::pair<Value, Value>> items_;
  std::unordered_map<Value, size_t, KeyHash, KeyEqual> index_;
  int depth_ = 1;
};

/// What `namespace()` makes: the only value a template can change.
struct Namespace {
  std::map<std::string, Value, std::less<>> attributes;
};

/// A function, macro or bound method.
struct Callable {
  std::string name;
  std::function<Value(Context&, const Arguments&)> call;
  int depth = 0;  // 1 + that of the object a method is bound to
};

/// What the iterations of a loop share: the arguments that `loop.changed()` saw last.
struct LoopMemory {
  bool ended = false;
  std::optional<std::vector<Value>> seen;
};

/// The `loop` variable of one iteration.
struct Loop {
  std::shared_ptr<const Sequence> items;
  size_t index0 = 0;
  std::shared_ptr<LoopMemory> memory;
};

/// Arguments of a call, a filter (the piped value comes first) or a test.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

}  // namespace grpo::jinja
