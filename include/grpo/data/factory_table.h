#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "grpo/data/options.h"

namespace GRPO_API grpo {

/// Factories of one kind of part by name: the same for rewards, tasks, losses, schedules and all other kinds, built in or yours. A factory
/// gets the part's own options and, for some kinds, a `Context`: what such a part is made for.
template <class Product, class... Context>
class FactoryTable {
 public:
  using Factory = std::function<std::unique_ptr<Product>(const NamedOptions&, Context...)>;

  /// `kind` ("reward", …) is for messages.
  explicit FactoryTable(std::string kind) : kind_(std::move(kind)) {}

  /// Throws a usage error if the name is taken: a part is never replaced silently.
  void add(std::string name, Factory factory) {
    const auto [place, added] = factories_.emplace(std::move(name), std::move(factory));
    if (!added) fail_usage(kind_, "expected a new name; got '" + place->first + "', which exists already");
  }

  /// `add<Mine>("mine")`: constructed from its options (`const NamedOptions&`) if it takes them, else without, and then it has none; what
  /// the kind has as context comes behind, if it takes that.
  template <class Part>
  void add(const std::string& name) {
    add(name, [name](const NamedOptions& options, Context... context) -> std::unique_ptr<Product> {
      if constexpr (std::is_constructible_v<Part, const NamedOptions&, Context...>) {
        return std::make_unique<Part>(options, context...);
      } else {
        expect_no_options(name, options);
        if constexpr (std::is_constructible_v<Part, Context...>) {
          return std::make_unique<Part>(context...);
        } else {
          return std::make_unique<Part>();
        }
      }
    });
  }

  /// Throws a usage error that suggests the nearest name if `name` is unknown, and what the factory throws as an `Error`.
  std::unique_ptr<Product> make(std::string_view name, const NamedOptions& options, Context... context) const {
    const auto found = factories_.find(name);
    if (found == factories_.end())
      fail_usage(kind_, "expected the name of " + with_article(kind_) + "; got '" + std::string(name) + "'" + did_you_mean(name, names()));
    std::unique_ptr<Product> product;
    try {
      product = found->second(options, context...);
    } catch (...) {
      rethrow_as_error(kind_ + " " + std::string(name));
    }
    GRPO_CHECK(product != nullptr, kind_ + " " + std::string(name), "expected its factory to make one; got a null pointer");
    return product;
  }
  /// Without options.
  std::unique_ptr<Product> make(std::string_view name, Context... context) const { return make(name, NamedOptions{}, context...); }

  bool contains(std::string_view name) const { return factories_.find(name) != factories_.end(); }
  const std::string& kind() const { return kind_; }

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
