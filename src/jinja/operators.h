#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/context.h"

/// Python's operators on template values. What Python refuses fails at the context's position.
namespace grpo::jinja {

enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
Value arithmetic(Context& context, Arithmetic operation, const Value& left, const Value& right);
Value negate(Context& context, const Value& value);

bool equal(Context& context, const Value& left, const Value& right);
/// `symbol` is "<", "<=", ">" or ">=".
bool ordered(Context& context, std::string_view symbol, const Value& left, const Value& right);
bool less(Context& context, const Value& left, const Value& right);
bool contains(Context& context, const Value& container, const Value& item);

/// What Python's getattr() finds: attributes of loops, namespaces and groups, and methods.
std::optional<Value> find_attribute(const Value& object, const std::string& name);
/// `object.name`: a method or attribute, else the item of that name, else undefined.
Value get_attribute(Context& context, const Value& object, const std::string& name);
/// `object[key]`: the item, else the method of that name, else undefined.
Value get_item(Context& context, const Value& object, const Value& key);
/// `object[begin:end:step]`; absent parts are none.
Value get_slice(Context& context, const Value& object, const Value& begin, const Value& end, const Value& step);
/// "a.b.0" as the `attribute=` of filters reads it; `fallback` (may be null) stands in for a part that is undefined.
Value get_path(Context& context, const Value& object, const Value& path, const Value* fallback = nullptr);

/// The items a `for` runs over: elements, characters or keys; nothing for undefined.
std::vector<Value> iterate(Context& context, const Value& value);
int64_t length(Context& context, const Value& value);
Value call(Context& context, const Value& callee, const Arguments& arguments);
/// Fails with the reason of an undefined value; returns otherwise.
void require_defined(const Context& context, const Value& value);

}  // namespace grpo::jinja
