#include <algorithm>
#include <cstddef>
#include <utility>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

/// What an item is compared by: its attribute (where `path` is given), in lower case unless `case_sensitive`.
Value sort_key(Context& context, const Value& item, const Value* path, bool case_sensitive) {
  const Value key = path && !path->is_none() ? get_path(context, item, *path) : item;
  return key.text() && !case_sensitive ? context.text(lower(*key.text())) : key;
}

/// As `sort_key`, of the attributes "a,b.c" together.
Value sort_keys(Context& context, const Value& item, const Value* paths, bool case_sensitive) {
  if (!paths || !paths->text() || paths->text()->find(',') == std::string::npos) return sort_key(context, item, paths, case_sensitive);
  std::vector<Value> keys;
  for (const std::string_view path : split(*paths->text(), ",", -1)) {
    const Value part{std::string(path)};
    keys.push_back(sort_key(context, item, &part, case_sensitive));
  }
  return context.list(std::move(keys));
}

std::vector<Value> sorted(Context& context, const std::vector<Value>& items, const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t left, size_t right) {
    return reverse ? less(context, keys[right], keys[left]) : less(context, keys[left], keys[right]);
  });
  std::vector<Value> out;
  out.reserve(items.size());
  for (const size_t index : order) out.push_back(items[index]);
  return out;
}

Value sort(Context& context, const Arguments& arguments) {
  const Parameters given(context, "sort", arguments, {"value", "reverse", "case_sensitive", "attribute"});
  const std::vector<Value> items = iterate(context, given.required(0));
  std::vector<Value> keys;
  for (const Value& item : items) keys.push_back(sort_keys(context, item, given.get(3), given.flag(2, false)));
  return context.list(sorted(context, items, keys, given.flag(1, false)));
}

Value dict_sort(Context& context, const Arguments& arguments) {
  const Parameters given(context, "dictsort", arguments, {"value", "case_sensitive", "by", "reverse"});
  const Dict* dict = given.required(0).dict();
  if (!dict) context.fail(std::string("dictsort() expected a mapping; got ") + given.required(0).type_name());
  const std::string by = given.text(2) ? *given.text(2) : "key";
  if (by != "key" && by != "value") context.fail("dictsort() expected by='key' or by='value'");
  std::vector<Value> items;
  std::vector<Value> keys;
  for (const auto& [key, value] : dict->items()) {
    items.push_back(context.tuple({key, value}));
    keys.push_back(sort_key(context, by == "key" ? key : value, nullptr, given.flag(1, false)));
  }
  return context.list(sorted(context, items, keys, given.flag(3, false)));
}

/// Pairs of an attribute's value and the items that have it, in the order of these values.
Value group_by(Context& context, const Arguments& arguments) {
  const Parameters given(context, "groupby", arguments, {"value", "attribute", "default", "case_sensitive"});
  const auto path_of = [&](const Value& item) { return get_path(context, item, given.required(1), given.get(2)); };
  const auto key_of = [&](const Value& item) { return sort_key(context, path_of(item), nullptr, given.flag(3, false)); };
  std::vector<Value> items = iterate(context, given.required(0));
  std::vector<Value> keys;
  for (const Value& item : items) keys.push_back(key_of(item));
  items = sorted(context, items, keys, false);
  std::vector<Value> groups;
  for (size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    const Value key = key_of(items[begin]);
    while (end < items.size() && equal(context, key, key_of(items[end]))) ++end;
    std::vector<Value> same(items.begin() + static_cast<std::ptrdiff_t>(begin), items.begin() + static_cast<std::ptrdiff_t>(end));
    const auto pair = make_sequence({path_of(items[begin]), context.list(std::move(same))}, true);
    pair->group = true;
    groups.emplace_back(Value::Data(std::shared_ptr<const Sequence>(pair)));
  }
  return context.list(std::move(groups));
}

/// Lists of `linecount` items; the last is filled up where `fill_with` is given.
Value batch(Context& context, const Arguments& arguments) {
  const Parameters given(context, "batch", arguments, {"value", "linecount", "fill_with"});
  given.required(1);
  const int64_t number = given.integer(1, 0);
  if (number < 1) context.fail("batch() expected a number of at least 1; got " + std::to_string(number));
  const std::vector<Value> items = iterate(context, given.required(0));
  std::vector<Value> lines;
  std::vector<Value> line;
  for (const Value& item : items) {
    line.push_back(item);
    if (static_cast<int64_t>(line.size()) == number) lines.push_back(context.list(std::exchange(line, {})));
  }
  if (line.empty()) return context.list(std::move(lines));
  if (given.get(2) && !given.get(2)->is_none()) {
    context.charge(number);
    line.resize(static_cast<size_t>(number), *given.get(2));
  }
  lines.push_back(context.list(std::move(line)));
  return context.list(std::move(lines));
}

/// `slices` lists of as equal lengths as can be; the shorter ones are filled up where `fill_with` is given.
Value slice(Context& context, const Arguments& arguments) {
  const Parameters given(context, "slice", arguments, {"value", "slices", "fill_with"});
  given.required(1);
  const int64_t number = given.integer(1, 0);
  if (number < 1) context.fail("slice() expected a number of at least 1; got " + std::to_string(number));
  context.charge(number);
  const std::vector<Value> items = iterate(context, given.required(0));
  const auto size = static_cast<int64_t>(items.size());
  std::vector<Value> slices;
  auto next = items.begin();
  for (int64_t i = 0; i < number; ++i) {
    const bool longer = i < size % number;
    const auto end = next + size / number + (longer ? 1 : 0);
    std::vector<Value> part(next, end);
    next = end;
    if (given.get(2) && !given.get(2)->is_none() && !longer) part.push_back(*given.get(2));
    slices.push_back(context.list(std::move(part)));
  }
  return context.list(std::move(slices));
}

Value unique(Context& context, const Arguments& arguments) {
  const Parameters given(context, "unique", arguments, {"value", "case_sensitive", "attribute"});
  std::vector<Value> out;
  Dict seen;
  for (const Value& item : iterate(context, given.required(0))) {
    const Value key = sort_key(context, item, given.get(2), given.flag(1, false));
    if (!Dict::hashable(key)) context.fail(std::string("unhashable type: '") + key.type_name() + "'");
    if (seen.find(key)) continue;
    seen.set(key, Value());
    out.push_back(item);
  }
  return context.list(std::move(out));
}

template <bool kGreatest>
Value extreme(Context& context, const Arguments& arguments) {
  const Parameters given(context, kGreatest ? "max" : "min", arguments, {"value", "case_sensitive", "attribute"});
  Value best = Value::undefined("no aggregated item, the sequence was empty");
  Value best_key;
  for (const Value& item : iterate(context, given.required(0))) {
    const Value key = sort_key(context, item, given.get(2), given.flag(1, false));
    if (!best.is_undefined() && !(kGreatest ? less(context, best_key, key) : less(context, key, best_key))) continue;
    best = item;
    best_key = key;
  }
  return best;
}

Value sum(Context& context, const Arguments& arguments) {
  const Parameters given(context, "sum", arguments, {"value", "attribute", "start"});
  Value total = given.get(2) ? *given.get(2) : Value(int64_t{0});
  for (const Value& item : iterate(context, given.required(0))) {
    const bool whole = !given.get(1) || given.get(1)->is_none();
    total = arithmetic(context, Arithmetic::kAdd, total, whole ? item : get_path(context, item, *given.get(1)));
  }
  return total;
}

Value join(Context& context, const Arguments& arguments) {
  const Parameters given(context, "join", arguments, {"value", "d", "attribute"});
  const Value separator = given.get(1) ? Value(to_text(context, *given.get(1))) : Value(std::string());
  const std::vector<Value> items = iterate(context, given.required(0));
  const bool whole = !given.get(2) || given.get(2)->is_none();
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    context.charge(separator.weight());
    if (i > 0) out += *separator.text();
    out += to_text(context, whole ? items[i] : get_path(context, items[i], *given.get(2)));
  }
  return Value(std::move(out));
}

Value first(Context& context, const Arguments& arguments) {
  const Parameters given(context, "first", arguments, {"value"});
  if (const Sequence* list = given.required(0).sequence(); list && !list->items.empty()) return list->items.front();
  const std::vector<Value> items = iterate(context, given.required(0));
  return items.empty() ? Value::undefined("no first item, the sequence was empty") : items.front();
}

Value last(Context& context, const Arguments& arguments) {
  const Parameters given(context, "last", arguments, {"value"});
  if (const Sequence* list = given.required(0).sequence(); list && !list->items.empty()) return list->items.back();
  const std::vector<Value> items = iterate(context, given.required(0));
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

Value reverse(Context& context, const Arguments& arguments) {
  const Parameters given(context, "reverse", arguments, {"value"});
  if (given.required(0).text()) return get_slice(context, given.required(0), Value(), Value(), Value(int64_t{-1}));
  std::vector<Value> items = iterate(context, given.required(0));
  std::reverse(items.begin(), items.end());
  return context.list(std::move(items));
}

Value list(Context& context, const Arguments& arguments) {
  const Parameters given(context, "list", arguments, {"value"});
  return context.list(iterate(context, given.required(0)));
}

/// The arguments after the first `skipped`, put behind `item`.
Arguments passed_on(const Value& item, const Arguments& arguments, size_t skipped) {
  Arguments inner;
  inner.positional.push_back(item);
  if (arguments.positional.size() > skipped) {
    inner.positional.insert(inner.positional.end(), arguments.positional.begin() + static_cast<std::ptrdiff_t>(skipped),
                            arguments.positional.end());
  }
  inner.named = arguments.named;
  return inner;
}

const std::string& name_argument(const Context& context, const char* function, const Arguments& arguments, size_t index) {
  const std::string* name = index < arguments.positional.size() ? arguments.positional[index].text() : nullptr;
  if (!name) context.fail(std::string(function) + "() expected a name as its argument");
  return *name;
}

Value map(Context& context, const Arguments& arguments) {
  std::vector<Value> out;
  if (arguments.positional.size() == 1 && !arguments.named.empty()) {
    const Parameters given(context, "map", arguments, {"value", "attribute", "default"});
    for (const Value& item : iterate(context, given.required(0))) {
      out.push_back(get_path(context, item, given.required(1), given.get(2)));
    }
    return context.list(std::move(out));
  }
  const std::string& filter = name_argument(context, "map", arguments, 1);
  for (const Value& item : iterate(context, arguments.positional[0])) {
    out.push_back(apply_filter(context, filter, passed_on(item, arguments, 2)));
  }
  return context.list(std::move(out));
}

template <bool kKeep>
Value select(Context& context, const Arguments& arguments) {
  const bool has_test = arguments.positional.size() > 1;
  std::vector<Value> out;
  for (const Value& item : iterate(context, arguments.positional[0])) {
    const bool holds =
        has_test ? apply_test(context, name_argument(context, "select", arguments, 1), passed_on(item, arguments, 2)) : item.truthy();
    if (holds == kKeep) out.push_back(item);
  }
  return context.list(std::move(out));
}

template <bool kKeep>
Value select_attribute(Context& context, const Arguments& arguments) {
  const Value path{name_argument(context, "selectattr", arguments, 1)};
  const bool has_test = arguments.positional.size() > 2;
  std::vector<Value> out;
  for (const Value& item : iterate(context, arguments.positional[0])) {
    const Value found = get_path(context, item, path);
    const bool holds =
        has_test ? apply_test(context, name_argument(context, "selectattr", arguments, 2), passed_on(found, arguments, 3)) : found.truthy();
    if (holds == kKeep) out.push_back(item);
  }
  return context.list(std::move(out));
}

}  // namespace

const FunctionTable& sequence_filters() {
  static const FunctionTable kTable{
      {"sort", sort},
      {"dictsort", dict_sort},
      {"groupby", group_by},
      {"batch", batch},
      {"slice", slice},
      {"unique", unique},
      {"min", extreme<false>},
      {"max", extreme<true>},
      {"sum", sum},
      {"join", join},
      {"first", first},
      {"last", last},
      {"reverse", reverse},
      {"list", list},
      {"map", map},
      {"select", select<true>},
      {"reject", select<false>},
      {"selectattr", select_attribute<true>},
      {"rejectattr", select_attribute<false>},
  };
  return kTable;
}

}  // namespace grpo::jinja
