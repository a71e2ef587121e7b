#pragma once

#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/reward/registry.h"
#include "grpo/reward/score.h"

namespace GRPO_API grpo {

/// One element of the config's list `reward`.
struct RewardFunction {
  std::string name;
  std::string function;
  double weight = 1.0;
  double timeout = 0.0;  // seconds for a batch; 0: none
  bool isolate = false;  // in a process of its own
  OnRewardError on_error = OnRewardError::kStop;
  NamedOptions options;
  std::string registry_name() const { return function.empty() ? name : function; }
};

void describe(ConfigVisitor& visitor, RewardFunction& function);

/// The functions that a config lists, made from the registry, with their names, weights and rules. Those with `isolate` are made first,
/// each in a process that is forked now: call it before the program has threads and much memory.
RewardSet make_rewards(const std::vector<RewardFunction>& functions, const RewardRegistry& registry);

}  // namespace grpo
