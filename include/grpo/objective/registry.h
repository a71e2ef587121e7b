#pragma once

#include "grpo/api.h"
#include "grpo/data/factory_table.h"

namespace GRPO_API grpo {

class Objective;
struct ObjectiveContext;
/// Objectives by name, for algorithm.objective. One shows tensors: include grpo/torch.h to write it.
using ObjectiveRegistry = FactoryTable<Objective, const ObjectiveContext&>;
/// The rows of `objective_table()`.
ObjectiveRegistry builtin_objectives();

}  // namespace grpo
