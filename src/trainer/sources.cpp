#include "trainer/sources.h"

#include <algorithm>

#include "grpo/core/error.h"
#include "trainer/model_reward.h"

namespace grpo {

Registry builtin_registry() {
  Registry registry{builtin_rewards(), builtin_tasks()};
  registry.rewards.add("reward_model", make_model_reward);
  return registry;
}

bool has_source(const DataSource& source) { return !source.path.empty() || !source.task.empty(); }

std::vector<Problem> load_source(const DataSource& source, const Registry& registry) {
  if (!has_source(source)) fail_usage("data", "expected a path or a task");
  if (!source.task.empty()) {
    const auto task = registry.tasks.make(source.task, source.options);
    return generate_problems(*task, source.split == "test" ? Split::kTest : Split::kTrain, source.count, source.seed);
  }
  auto problems = load_problems(source.path, source.fields);
  if (source.count > 0) problems.resize(std::min(problems.size(), static_cast<size_t>(source.count)));
  return problems;
}

RewardSet make_rewards(const std::vector<RewardFunction>& functions, const Registry& registry) {
  RewardSet set;
  for (const auto& f : functions) set.add(f.name, registry.rewards.make(f.registry_name(), f.options), f.weight);
  return set;
}

EngineOptions engine_options(const RolloutSection& rollout) {
  return {.max_slots = rollout.max_slots,
          .kv_budget_bytes = static_cast<int64_t>(rollout.kv_cache_gib * (int64_t{1} << 30)),
          .compute_dtype = rollout.compute_dtype,
          .kv_dtype = rollout.kv_dtype};
}

}  // namespace grpo
