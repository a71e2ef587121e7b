// Which word in the config is which objective.
#include "objective/make_objective.h"

#include "grpo/core/error.h"

namespace grpo {

std::unique_ptr<Objective> make_objective(const ObjectiveContext& context) {
  using Type = AlgorithmSection::ObjectiveType;
  switch (context.config.objective) {
    case Type::kGrpo:
    case Type::kRloo:
    case Type::kReinforcePlusPlus:
    case Type::kRemax:
      return std::make_unique<GrpoObjective>(context);
    case Type::kPpo:
      return make_ppo_objective(context);
    case Type::kPrime:
      return make_prime_objective(context);
    case Type::kOnlineDpo:
      return make_online_dpo_objective(context);
    case Type::kExpertIteration:
      return make_expert_iteration_objective(context);
  }
  fail("objective", "expected a known objective; got another value");
}

}  // namespace grpo
