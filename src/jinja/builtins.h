#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "jinja/context.h"

namespace grpo::jinja {

using Function = Value (*)(Context&, const Arguments&);
using FunctionTable = std::unordered_map<std::string_view, Function>;

/// `arguments.positional[0]` is the piped or tested value.
Value apply_filter(Context& context, const std::string& name, const Arguments& arguments);
bool is_filter(const std::string& name);
bool apply_test(Context& context, const std::string& name, const Arguments& arguments);

/// The filters by what they work on.
const FunctionTable& text_filters();
const FunctionTable& sequence_filters();
const FunctionTable& value_filters();

/// The bound method `name` of a value; an undefined value where the sandbox forbids it, and nothing where there is no such method.
std::optional<Value> find_method(const Value& object, const std::string& name);
/// Methods take the object as their first argument.
const FunctionTable& text_methods();
const FunctionTable& sequence_methods();
const FunctionTable& dict_methods();

/// range, dict, namespace, raise_exception and strftime_now.
const std::map<std::string, Value, std::less<>>& globals();

}  // namespace grpo::jinja
