#include "grpo/trainer/registry.h"

#include "policy/model_reward.h"

namespace grpo {

Registry builtin_registry() {
  Registry registry{builtin_rewards(), builtin_tasks()};
  registry.rewards.add("reward_model", make_model_reward);
  return registry;
}

}  // namespace grpo
