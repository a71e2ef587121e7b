#pragma once

#include "grpo/api.h"
#include "grpo/data/factory_table.h"

namespace GRPO_API grpo {

class PolicyTerm;
/// Policy terms by name, for `custom_loss`; none is built in. A term shows tensors: include grpo/torch.h to write one.
using LossRegistry = FactoryTable<PolicyTerm>;

}  // namespace grpo
