#include <array>
#include <ctime>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"

namespace grpo::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;  // as Jinja2's sandbox

Value range(Context& context, const Arguments& arguments) {
  const Parameters given(context, "range", arguments, {"start", "stop", "step"});
  given.required(0);
  const bool only_stop = !given.get(1);
  const int64_t start = only_stop ? 0 : given.integer(0, 0);
  const int64_t stop = only_stop ? given.integer(0, 0) : given.integer(1, 0);
  const int64_t step = given.integer(2, 1);
  if (step == 0) context.fail("range() expected a step other than zero");
  std::vector<Value> items;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (static_cast<int64_t>(items.size()) == kMaxRange) context.fail("range() expected at most 100000 numbers; got more");
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return context.list(std::move(items));
}

/// dict(mapping or pairs, name=value, …)
Dict make_dict(Context& context, const char* function, const Arguments& arguments) {
  if (arguments.positional.size() > 1) context.fail(std::string(function) + "() expected at most one positional argument");
  Dict made;
  if (!arguments.positional.empty()) {
    const Value& given = arguments.positional[0];
    const Value pairs = given.dict() ? apply_filter(context, "items", {{given}, {}}) : given;
    for (const Value& pair : iterate(context, pairs)) {
      const std::vector<Value> parts = iterate(context, pair);
      if (parts.size() != 2 || !Dict::hashable(parts[0])) context.fail(std::string(function) + "() expected pairs of a key and a value");
      made.set(parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) made.set(Value(name), value);
  return made;
}

Value dict(Context& context, const Arguments& arguments) { return context.dict(make_dict(context, "dict", arguments)); }

Value name_space(Context& context, const Arguments& arguments) {
  const Dict attributes = make_dict(context, "namespace", arguments);
  Namespace made;
  for (const auto& [name, value] : attributes.items()) {
    if (name.text()) made.attributes[*name.text()] = value;
  }
  return context.name_space(std::move(made));
}

Value raise_exception(Context& context, const Arguments& arguments) {
  const Parameters given(context, "raise_exception", arguments, {"message"});
  context.fail(to_text(context, given.required(0)));
}

Value strftime_now(Context& context, const Arguments& arguments) {
  const Parameters given(context, "strftime_now", arguments, {"format"});
  const std::string& format = given.required_text(0);
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 1024> buffer{};
  const size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &local);
  if (size == 0 && !format.empty()) context.fail("strftime_now() expected a format that gives 1 … 1023 bytes");
  return Value(std::string(buffer.data(), size));
}

Value function(const char* name, Function call) { return Value(Value::Data(std::make_shared<const Callable>(Callable{name, call}))); }

}  // namespace

const std::map<std::string, Value, std::less<>>& globals() {
  static const std::map<std::string, Value, std::less<>> kTable{
      {"range", function("range", range)},
      {"dict", function("dict", dict)},
      {"namespace", function("namespace", name_space)},
      {"raise_exception", function("raise_exception", raise_exception)},
      {"strftime_now", function("strftime_now", strftime_now)},
  };
  return kTable;
}

}  // namespace grpo::jinja
