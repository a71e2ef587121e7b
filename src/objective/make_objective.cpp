// Which word in the config is which objective.
#include "objective/make_objective.h"

namespace grpo {

ObjectiveRegistry builtin_objectives() {
  ObjectiveRegistry registry("objective");
  const auto add = [&registry](const char* name, std::unique_ptr<Objective> (*make)(const ObjectiveContext&)) {
    registry.add(name, [make, name](const NamedOptions& options, const ObjectiveContext& context) {
      expect_no_options(name, options);
      return make(context);
    });
  };
  for (const char* name : {"grpo", "rloo", "reinforce_plus_plus", "remax"}) registry.add<GrpoObjective>(name);
  add("ppo", make_ppo_objective);
  add("prime", make_prime_objective);
  add("online_dpo", make_online_dpo_objective);
  add("expert_iteration", make_expert_iteration_objective);
  return registry;
}

}  // namespace grpo
