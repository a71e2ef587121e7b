#pragma once

#include "grpo/api.h"
#include "grpo/data/factory_table.h"

namespace GRPO_API grpo {

class AdvantageEstimator;
/// Advantage estimators by name, for algorithm.advantage_estimator. One shows tensors: include grpo/torch.h to write it.
using EstimatorRegistry = FactoryTable<AdvantageEstimator>;
/// The rows of `estimator_table()`.
EstimatorRegistry builtin_estimators();

}  // namespace grpo
