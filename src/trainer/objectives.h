#pragma once

#include <string>
#include <vector>

#include "trainer/grpo_objective.h"

namespace grpo {

std::unique_ptr<Objective> make_ppo_objective(const ObjectiveContext& context);
std::unique_ptr<Objective> make_prime_objective(const ObjectiveContext& context);
std::unique_ptr<Objective> make_online_dpo_objective(const ObjectiveContext& context);
std::unique_ptr<Objective> make_expert_iteration_objective(const ObjectiveContext& context);

/// [M] → [S]: the figure at the first pair of each sequence, of a column that is one figure per sequence.
at::Tensor first_of_sequences(const at::Tensor& column, const Batch& batch);

/// The number of the function that tells right from wrong: the one of that name, where none is given «accuracy», else the first.
size_t outcome_function(const std::vector<RewardFunction>& functions, const std::string& name);

}  // namespace grpo
