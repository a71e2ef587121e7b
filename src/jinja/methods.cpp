#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/operators.h"

namespace grpo::jinja {
namespace {

constexpr std::string_view kListMutators[] = {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
constexpr std::string_view kDictMutators[] = {"clear", "pop", "popitem", "setdefault", "update"};

template <size_t kSize>
bool is_one_of(const std::string_view (&names)[kSize], const std::string& name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_forbidden(const Value& object, const std::string& name) {
  if (object.dict()) return is_one_of(kDictMutators, name);
  return object.sequence() && !object.sequence()->tuple && is_one_of(kListMutators, name);
}

const FunctionTable* methods_of(const Value& object) {
  if (object.text()) return &text_methods();
  if (object.sequence()) return &sequence_methods();
  if (object.dict()) return &dict_methods();
  return nullptr;
}

Value dict_items(Context& context, const Arguments& arguments) {
  const Parameters given(context, "items", arguments, {"self"});
  return apply_filter(context, "items", {{given.required(0)}, {}});
}

Value dict_keys(Context& context, const Arguments& arguments) {
  const Parameters given(context, "keys", arguments, {"self"});
  return context.list(iterate(context, given.required(0)));
}

Value dict_values(Context& context, const Arguments& arguments) {
  const Parameters given(context, "values", arguments, {"self"});
  std::vector<Value> values;
  for (const auto& item : given.required(0).dict()->items()) values.push_back(item.second);
  return context.list(std::move(values));
}

Value dict_get(Context& context, const Arguments& arguments) {
  const Parameters given(context, "get", arguments, {"self", "key", "default"});
  if (const Value* found = given.required(0).dict()->find(given.required(1))) return *found;
  return given.get(2) ? *given.get(2) : Value();
}

Value copy(Context& context, const Arguments& arguments) {
  return Parameters(context, "copy", arguments, {"self"}).required(0);  // values never change: a copy is the value
}

Value sequence_index(Context& context, const Arguments& arguments) {
  const Parameters given(context, "index", arguments, {"self", "value"});
  const auto& items = given.required(0).sequence()->items;
  const auto found = std::find_if(items.begin(), items.end(), [&](const Value& item) { return equal(context, item, given.required(1)); });
  if (found == items.end()) context.fail("the value is not in the list");
  return Value(static_cast<int64_t>(found - items.begin()));
}

Value sequence_count(Context& context, const Arguments& arguments) {
  const Parameters given(context, "count", arguments, {"self", "value"});
  const auto& items = given.required(0).sequence()->items;
  const auto number = std::count_if(items.begin(), items.end(), [&](const Value& item) { return equal(context, item, given.required(1)); });
  return Value(static_cast<int64_t>(number));
}

/// loop.cycle(a, b, …)
Value cycle(Context& context, const Arguments& arguments) {
  const size_t number = arguments.positional.size() - 1;
  if (number == 0) context.fail("cycle() expected at least one argument");
  return arguments.positional[1 + arguments.positional[0].loop()->index0 % number];
}

/// loop.changed(…): whether the arguments differ from those of the call before.
Value changed(Context& context, const Arguments& arguments) {
  LoopMemory& memory = *arguments.positional[0].loop()->memory;
  if (memory.ended) context.fail("loop.changed() expected to be called within its loop");
  if (!arguments.named.empty()) context.fail("changed() expected positional arguments");
  std::vector<Value> given(arguments.positional.begin() + 1, arguments.positional.end());
  const auto same = [&](const Value& a, const Value& b) { return equal(context, a, b); };
  if (memory.seen && std::equal(given.begin(), given.end(), memory.seen->begin(), memory.seen->end(), same)) return Value(false);
  memory.seen = std::move(given);
  return Value(true);
}

Value bind(const Value& object, const std::string& name, Function function) {
  auto bound = std::make_shared<Callable>();
  bound->name = name;
  bound->depth = object.depth() + 1;
  bound->call = [object, function](Context& context, const Arguments& arguments) {
    Arguments all = arguments;
    all.positional.insert(all.positional.begin(), object);
    return function(context, all);
  };
  return Value(Value::Data(std::shared_ptr<const Callable>(std::move(bound))));
}

}  // namespace

std::optional<Value> find_method(const Value& object, const std::string& name) {
  if (is_forbidden(object, name)) {
    return Value::undefined("access to attribute '" + name + "' of '" + object.type_name() + "' object is unsafe");
  }
  if (object.loop() && name == "cycle") return bind(object, name, cycle);
  if (object.loop() && name == "changed") return bind(object, name, changed);
  const FunctionTable* methods = methods_of(object);
  if (!methods) return std::nullopt;
  const auto found = methods->find(name);
  return found == methods->end() ? std::nullopt : std::optional<Value>(bind(object, name, found->second));
}

const FunctionTable& sequence_methods() {
  static const FunctionTable kTable{{"count", sequence_count}, {"index", sequence_index}, {"copy", copy}};
  return kTable;
}

const FunctionTable& dict_methods() {
  static const FunctionTable kTable{{"items", dict_items}, {"keys", dict_keys}, {"values", dict_values}, {"get", dict_get}, {"copy", copy}};
  return kTable;
}

}  // namespace grpo::jinja
