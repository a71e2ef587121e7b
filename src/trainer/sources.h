#pragma once

#include <vector>

#include "grpo/reward/score.h"
#include "grpo/rollout/engine.h"
#include "grpo/trainer/config.h"
#include "grpo/trainer/registry.h"

// From what a config names to the parts themselves.
namespace grpo {

bool has_source(const DataSource& source);
/// Loads or generates. Throws where neither a path nor a task is given, or there is nothing.
std::vector<Problem> load_source(const DataSource& source, const Registry& registry);
RewardSet make_rewards(const std::vector<RewardFunction>& functions, const Registry& registry);
EngineOptions engine_options(const RolloutSection& rollout);

}  // namespace grpo
