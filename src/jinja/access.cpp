#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

Value missing_attribute(const Value& object, const std::string& name) {
  return Value::undefined(std::string("'") + object.type_name() + " object' has no attribute '" + name + "'");
}

std::optional<Value> item_at(Context& context, const Value& object, int64_t index) {
  const auto position = [&](size_t size) {
    const auto number = static_cast<int64_t>(size);
    const int64_t at = index < 0 ? index + number : index;
    return at >= 0 && at < number ? std::optional<size_t>(static_cast<size_t>(at)) : std::nullopt;
  };
  if (const Sequence* list = object.sequence()) {
    const auto at = position(list->items.size());
    return at ? std::optional<Value>(list->items[*at]) : std::nullopt;
  }
  if (const std::string* text = object.text()) {
    context.charge(object.weight());
    const auto all = characters(*text);
    const auto at = position(all.size());
    return at ? std::optional<Value>(Value(std::string(all[*at]))) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Value> loop_attribute(const Loop& loop, const std::string& name) {
  const auto& items = loop.items->items;
  const auto index = static_cast<int64_t>(loop.index0);
  const auto size = static_cast<int64_t>(items.size());
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(size - index);
  if (name == "revindex0") return Value(size - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == size);
  if (name == "length") return Value(size);
  if (name == "depth") return Value(int64_t{1});  // only loops marked `recursive`, which are refused, are deeper
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem") return index > 0 ? items[loop.index0 - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem") return index + 1 < size ? items[loop.index0 + 1] : Value::undefined("there is no next item");
  return std::nullopt;
}

struct Range {
  int64_t begin, end, step;
};

/// As Python's slice.indices().
Range slice_range(const Context& context, const Value& begin, const Value& end, const Value& step, int64_t size) {
  const auto part = [&](const Value& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    require_defined(context, value);
    if (!value.is_integral()) context.fail("slice indices must be integers or none");
    return value.integer();
  };
  const int64_t stride = std::clamp(part(step, 1), -INT64_MAX, INT64_MAX);
  if (stride == 0) context.fail("slice step cannot be zero");
  const int64_t lowest = stride > 0 ? 0 : -1;
  const int64_t highest = stride > 0 ? size : size - 1;
  const auto bound = [&](const Value& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    const int64_t at = part(value, 0);
    return std::clamp(at < 0 ? at + size : at, lowest, highest);
  };
  return {bound(begin, stride > 0 ? lowest : highest), bound(end, stride > 0 ? highest : lowest), stride};
}

template <typename Take>
void take_slice(const Range& range, Take take) {
  const int64_t span = range.step > 0 ? range.end - range.begin : range.begin - range.end;
  if (span <= 0) return;
  const int64_t stride = range.step > 0 ? range.step : -range.step;
  const int64_t number = (span - 1) / stride + 1;
  for (int64_t i = 0; i < number; ++i) take(static_cast<size_t>(range.begin + i * range.step));
}

}  // namespace

std::optional<Value> find_attribute(const Value& object, const std::string& name) {
  if (const Loop* loop = object.loop()) {
    if (auto value = loop_attribute(*loop, name)) return value;
  }
  if (const Namespace* space = object.name_space()) {
    const auto found = space->attributes.find(name);
    if (found != space->attributes.end()) return found->second;
  }
  const Sequence* list = object.sequence();
  if (list && list->group && name == "grouper") return list->items[0];
  if (list && list->group && name == "list") return list->items[1];
  return find_method(object, name);
}

Value get_attribute(Context& context, const Value& object, const std::string& name) {
  require_defined(context, object);
  if (auto own = find_attribute(object, name)) return *own;
  if (const Dict* dict = object.dict()) {
    if (const Value* item = dict->find(name)) return *item;
  }
  return missing_attribute(object, name);
}

Value get_item(Context& context, const Value& object, const Value& key) {
  require_defined(context, object);
  if (const Dict* dict = object.dict()) {
    if (const Value* item = dict->find(key)) return *item;
  }
  if (const std::string* name = key.text()) {
    if (auto own = find_attribute(object, *name)) return *own;
    return missing_attribute(object, *name);
  }
  if (key.is_integral()) {
    if (auto item = item_at(context, object, key.integer())) return *item;
    return Value::undefined(std::string(object.type_name()) + " object has no element " + std::to_string(key.integer()));
  }
  return Value::undefined(std::string(object.type_name()) + " object has no such element");
}

Value get_slice(Context& context, const Value& object, const Value& begin, const Value& end, const Value& step) {
  require_defined(context, object);
  if (const std::string* text = object.text()) {
    context.charge(object.weight());
    const auto all = characters(*text);
    std::string out;
    take_slice(slice_range(context, begin, end, step, static_cast<int64_t>(all.size())), [&](size_t i) { out += all[i]; });
    return context.text(std::move(out));
  }
  const Sequence* list = object.sequence();
  if (!list) context.fail(std::string("'") + object.type_name() + "' object cannot be sliced");
  std::vector<Value> items;
  take_slice(slice_range(context, begin, end, step, static_cast<int64_t>(list->items.size())),
             [&](size_t i) { items.push_back(list->items[i]); });
  return list->tuple ? context.tuple(std::move(items)) : context.list(std::move(items));
}

Value get_path(Context& context, const Value& object, const Value& path, const Value* fallback) {
  const auto step = [&](const Value& from, const Value& key) {
    Value found = get_item(context, from, key);
    return fallback && found.is_undefined() ? *fallback : found;
  };
  if (!path.text()) return step(object, path);
  Value value = object;
  for (const std::string_view part : split(*path.text(), ".", -1)) {
    const bool is_index = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string_view::npos;
    value = step(value, is_index ? Value(int64_t{std::stoi(std::string(part))}) : Value(std::string(part)));
  }
  return value;
}

std::vector<Value> iterate(Context& context, const Value& value) {
  if (const Sequence* list = value.sequence()) {
    context.charge(static_cast<int64_t>(list->items.size()));
    return list->items;
  }
  std::vector<Value> items;
  if (const Dict* dict = value.dict()) {
    context.charge(static_cast<int64_t>(dict->items().size()));
    for (const auto& item : dict->items()) items.push_back(item.first);
  } else if (const std::string* text = value.text()) {
    context.charge(static_cast<int64_t>(text->size()));
    for (const std::string_view character : characters(*text)) items.emplace_back(std::string(character));
  } else if (!value.is_undefined()) {
    context.fail(std::string("'") + value.type_name() + "' object is not iterable");
  }
  return items;
}

int64_t length(Context& context, const Value& value) {
  if (value.is_undefined()) return 0;
  if (const Sequence* list = value.sequence()) return static_cast<int64_t>(list->items.size());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items().size());
  if (!value.text()) context.fail(std::string("object of type '") + value.type_name() + "' has no len()");
  context.charge(value.weight());
  return character_count(*value.text());
}

Value call(Context& context, const Value& callee, const Arguments& arguments) {
  require_defined(context, callee);
  if (!callee.callable()) context.fail(std::string("'") + callee.type_name() + "' object is not callable");
  return callee.callable()->call(context, arguments);
}

}  // namespace grpo::jinja
