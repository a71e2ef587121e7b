#pragma once

#include "grpo/api.h"
#include "grpo/data/factory_table.h"

namespace GRPO_API grpo {

class Optimizer;
struct OptimizerContext;
/// Optimizers by name, for optim.optimizer. An optimizer shows tensors: include grpo/torch.h to write one.
using OptimizerRegistry = FactoryTable<Optimizer, const OptimizerContext&>;
/// adamw
OptimizerRegistry builtin_optimizers();

}  // namespace grpo
