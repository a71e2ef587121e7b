#include "grpo/reward/config.h"

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>

#include "grpo/core/config.h"
#include "reward/isolated.h"

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
  v.field(
      "isolate", c.isolate,
      "Make and call it in a process of its own, which keeps what it remembers and is killed where it overruns its timeout. If it ends by "
      "itself (a crash, too little memory) that is a fault, see on_error, and another one is started.");
  v.enumeration("on_error", c.on_error, {"stop", "undefined"},
                "If it throws, gives an infinity or overruns its timeout: stop the run, or leave the samples without its verdict.");
  v.options("options", c.options, "The function's own options.");
}

RewardSet make_rewards(const std::vector<RewardFunction>& functions, const RewardRegistry& registry) {
  std::vector<std::unique_ptr<Reward>> rewards(functions.size());
  for (const bool isolate : {true, false}) {  // what is made here may have threads, and a process forked after that would lack them
    for (size_t i = 0; i < functions.size(); ++i) {
      const RewardFunction& f = functions[i];
      const auto make = [&registry, &f] { return registry.make(f.registry_name(), f.options); };
      if (f.isolate == isolate) rewards[i] = isolate ? std::make_unique<IsolatedReward>(make) : make();
    }
  }
  RewardSet set;
  for (size_t i = 0; i < functions.size(); ++i) {
    const RewardFunction& f = functions[i];
    set.add(f.name, std::move(rewards[i]), f.weight, {.timeout = f.timeout, .on_error = f.on_error});
  }
  return set;
}

}  // namespace grpo
