#include "jinja/value.h"

#include <algorithm>

namespace grpo::jinja {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang before 17 deduces no aggregates

}  // namespace

int64_t Value::integer() const {
  if (const bool* flag = boolean()) return *flag ? 1 : 0;
  return std::get<int64_t>(data_);
}

double Value::as_double() const {
  if (const double* number = real()) return *number;
  return static_cast<double>(integer());
}

bool Value::truthy() const {
  return std::visit(Overloaded{
                        [](const Undefined&) { return false; },
                        [](None) { return false; },
                        [](bool value) { return value; },
                        [](int64_t value) { return value != 0; },
                        [](double value) { return value != 0; },
                        [](const Text& value) { return !value->empty(); },
                        [](const std::shared_ptr<const Sequence>& value) { return !value->items.empty(); },
                        [](const std::shared_ptr<const Dict>& value) { return !value->items().empty(); },
                        [](const auto&) { return true; },
                    },
                    data_);
}

const char* Value::type_name() const {
  return std::visit(Overloaded{
                        [](const Undefined&) { return "Undefined"; },
                        [](None) { return "NoneType"; },
                        [](bool) { return "bool"; },
                        [](int64_t) { return "int"; },
                        [](double) { return "float"; },
                        [](const Text&) { return "str"; },
                        [](const std::shared_ptr<const Sequence>& value) { return value->tuple ? "tuple" : "list"; },
                        [](const std::shared_ptr<const Dict>&) { return "dict"; },
                        [](const std::shared_ptr<Namespace>&) { return "Namespace"; },
                        [](const std::shared_ptr<const Callable>&) { return "function"; },
                        [](const std::shared_ptr<const Loop>&) { return "LoopContext"; },
                    },
                    data_);
}

int64_t Value::weight() const {
  if (const std::string* string = text()) return 1 + static_cast<int64_t>(string->size()) / kBytesPerUnit;
  return 1;
}

int Value::depth() const {
  if (const Sequence* list = sequence()) return list->depth;
  if (const Dict* map = dict()) return map->depth();
  if (const Callable* function = callable()) return function->depth;
  if (const Loop* iteration = loop()) return iteration->items->depth + 1;
  return 0;
}

size_t KeyHash::operator()(const Value& key) const {
  if (const std::string* text = key.text()) return std::hash<std::string>()(*text);
  return key.is_number() ? std::hash<double>()(key.as_double()) : 0;
}

bool KeyEqual::operator()(const Value& left, const Value& right) const {
  if (left.text() && right.text()) return *left.text() == *right.text();
  if (left.is_integral() && right.is_integral()) return left.integer() == right.integer();
  if (left.is_number() && right.is_number()) return left.as_double() == right.as_double();
  return left.is_none() && right.is_none();
}

bool Dict::hashable(const Value& key) { return key.text() || key.is_number() || key.is_none(); }

void Dict::set(const Value& key, Value value) {
  depth_ = std::max(depth_, value.depth() + 1);
  const auto [found, inserted] = index_.try_emplace(key, items_.size());
  if (inserted) {
    items_.emplace_back(key, std::move(value));
  } else {
    items_[found->second].second = std::move(value);
  }
}

const Value* Dict::find(const Value& key) const {
  if (!hashable(key)) return nullptr;
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &items_[found->second].second;
}

}  // namespace grpo::jinja
