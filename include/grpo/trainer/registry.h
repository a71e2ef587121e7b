#pragma once

#include <string>
#include <utility>

#include "grpo/data/tasks.h"
#include "grpo/reward/registry.h"

namespace grpo {

/// The parts that a config can name: the built-in ones, and yours.
struct Registry {
  RewardRegistry rewards;
  TaskRegistry tasks;

  /// `add_reward<MyReward>("mine")`, see RewardRegistry.
  template <class R>
  void add_reward(const std::string& name) {
    rewards.add<R>(name);
  }
  /// A reward that judges every completion by itself.
  void add_reward(std::string name, std::function<double(const Completion&)> judge) { rewards.add(std::move(name), std::move(judge)); }
  void add_task(std::string name, TaskRegistry::Factory factory) { tasks.add(std::move(name), std::move(factory)); }
};

Registry builtin_registry();

}  // namespace grpo
