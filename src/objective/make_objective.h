#pragma once

#include "objective/grpo.h"

namespace grpo {

std::unique_ptr<Objective> make_ppo_objective(const ObjectiveContext& context);
std::unique_ptr<Objective> make_prime_objective(const ObjectiveContext& context);
std::unique_ptr<Objective> make_online_dpo_objective(const ObjectiveContext& context);
std::unique_ptr<Objective> make_expert_iteration_objective(const ObjectiveContext& context);

/// [M] → [S]: the figure at the first pair of each sequence, of a column that is one figure per sequence.
at::Tensor first_of_sequences(const at::Tensor& column, const Batch& batch);

}  // namespace grpo
