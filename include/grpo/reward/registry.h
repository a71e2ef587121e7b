#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "grpo/api.h"
#include "grpo/data/factory_table.h"
#include "grpo/reward/reward.h"

namespace GRPO_API grpo {

/// Rewards by name. `make(name, options)` and `names()` come from `FactoryTable`.
class RewardRegistry : public FactoryTable<Reward> {
 public:
  RewardRegistry() : FactoryTable("reward") {}

  using FactoryTable::add;

  /// A reward that judges every completion by itself; it has no options.
  void add(std::string name, std::function<double(const Completion&)> judge);

  /// `registry.add<MyReward>("mine")`: constructed from its `RewardOptions` if it takes them, else without, and then it has no options.
  template <class R>
  void add(const std::string& name) {
    FactoryTable::add(name, [name](const RewardOptions& options) -> std::unique_ptr<Reward> {
      if constexpr (std::is_constructible_v<R, const RewardOptions&>) {
        return std::make_unique<R>(options);
      } else {
        expect_no_options(name, options);
        return std::make_unique<R>();
      }
    });
  }

 private:
  static void expect_no_options(const std::string& name, const RewardOptions& options);
};

/// accuracy, countdown, equations, format, length, repetition, soft_overlong, tag_count: src/reward/README.md describes them and their
/// options.
RewardRegistry builtin_rewards();

}  // namespace grpo
