#include "grpo/reward/config.h"

#include "grpo/core/config.h"

namespace grpo {

void describe(ConfigVisitor& v, RewardFunction& c) {
  v.field("name", c.name, "In metrics; also the function where that is empty.");
  v.field("function", c.function, "A registered reward.");
  v.field("weight", c.weight, "In the sum; 0 = only reported.");
  v.options("options", c.options, "The function's own options.");
}

RewardSet make_rewards(const std::vector<RewardFunction>& functions, const RewardRegistry& registry) {
  RewardSet set;
  for (const auto& f : functions) set.add(f.name, registry.make(f.registry_name(), f.options), f.weight);
  return set;
}

}  // namespace grpo
