#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "grpo/data/options.h"

namespace GRPO_API grpo {

/// Factories of one kind of part by name: the tables of tasks and rewards.
template <class Product>
class FactoryTable {
 public:
  using Factory = std::function<std::unique_ptr<Product>(const NamedOptions&)>;

  /// `kind` ("reward", …) is for messages.
  explicit FactoryTable(std::string kind) : kind_(std::move(kind)) {}

  /// Throws a usage error if the name is taken: a part is never replaced silently.
  void add(std::string name, Factory factory) {
    const auto [place, added] = factories_.emplace(std::move(name), std::move(factory));
    if (!added) fail_usage(kind_, "expected a new name; got '" + place->first + "', which exists already");
  }

  /// Throws a usage error that suggests the nearest name if `name` is unknown, and what the factory throws as an `Error`.
  std::unique_ptr<Product> make(std::string_view name, const NamedOptions& options = {}) const {
    const auto found = factories_.find(name);
    if (found == factories_.end()) {
      fail_usage(kind_, "expected the name of a " + kind_ + "; got '" + std::string(name) + "'" + did_you_mean(name, names()));
    }
    std::unique_ptr<Product> product;
    try {
      product = found->second(options);
    } catch (...) {
      rethrow_as_error(kind_ + " " + std::string(name));
    }
    GRPO_CHECK(product != nullptr, kind_ + " " + std::string(name), "expected its factory to make one; got a null pointer");
    return product;
  }

  /// Sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, factory] : factories_) result.push_back(name);
    return result;
  }

 private:
  std::string kind_;
  std::map<std::string, Factory, std::less<>> factories_;
};

}  // namespace grpo
