#include "grpo/reward/config.h"

#include "grpo/core/config.h"

namespace grpo {

void describe(ConfigVisitor& v, RewardFunction& c) {
  v.part("function", c.function, "reward", "Which reward; empty = the one that is called as name says.");
  constexpr auto kName = "In metrics; also the function where that is empty.";
  c.function.empty() ? v.part("name", c.name, "reward", kName) : v.field("name", c.name, kName);
  v.field("weight", c.weight, "In the sum; 0 = only reported.");
  v.field("timeout", c.timeout,
          "Seconds that it may take for the completions of one rollout or evaluation; then it is no longer awaited, see on_error. 0 = no "
          "limit.",
          {.min = 0.0, .max = kLongestTimeout});
  v.enumeration("on_error", c.on_error, {"stop", "undefined"},
                "If it throws, gives an infinity or overruns its timeout: stop the run, or leave the samples without its verdict.");
  v.options("options", c.options, "The function's own options.");
}

RewardSet make_rewards(const std::vector<RewardFunction>& functions, const RewardRegistry& registry) {
  RewardSet set;
  for (const auto& f : functions)
    set.add(f.name, registry.make(f.registry_name(), f.options), f.weight, {.timeout = f.timeout, .on_error = f.on_error});
  return set;
}

}  // namespace grpo
