#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "grpo/algorithm/loss_registry.h"
#include "grpo/api.h"
#include "grpo/data/options.h"
#include "grpo/data/tasks.h"
#include "grpo/reward/registry.h"

namespace GRPO_API grpo {

/// The parts that a config can name: the built-in ones, and yours.
struct Registry {
  RewardRegistry rewards;
  TaskRegistry tasks;
  LossRegistry losses{"loss"};

  /// `add_reward<MyReward>("mine")`, see RewardRegistry.
  template <class R>
  void add_reward(const std::string& name) {
    rewards.add<R>(name);
  }
  /// A reward that judges every completion by itself.
  void add_reward(std::string name, std::function<double(const Completion&)> judge) { rewards.add(std::move(name), std::move(judge)); }
  void add_task(std::string name, TaskRegistry::Factory factory) { tasks.add(std::move(name), std::move(factory)); }
  /// `add_loss<MyTerm>("mine")`, a `PolicyTerm`: made from its custom_loss_options if it takes them, else without, and then it has none.
  template <class Term>
  void add_loss(const std::string& name) {
    losses.add(name, [name](const NamedOptions& options) -> std::unique_ptr<PolicyTerm> {
      if constexpr (std::is_constructible_v<Term, const NamedOptions&>) {
        return std::make_unique<Term>(options);
      } else {
        read_options(name, options, [](ConfigVisitor&) {});
        return std::make_unique<Term>();
      }
    });
  }
};

Registry builtin_registry();

}  // namespace grpo
