// Which word in the config is which objective.
#include "grpo/core/error.h"
#include "trainer/grpo_objective.h"

namespace grpo {

std::unique_ptr<Objective> make_objective(const ObjectiveContext& context) {
  switch (context.config.algorithm.objective) {
    case AlgorithmSection::ObjectiveType::kGrpo:
      return std::make_unique<GrpoObjective>(context);
  }
  fail("objective", "expected a known objective; got another value");
}

}  // namespace grpo
