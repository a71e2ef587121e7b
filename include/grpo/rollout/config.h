#pragma once

#include <cstdint>
#include <optional>

#include "grpo/api.h"
#include "grpo/rollout/engine.h"
#include "grpo/rollout/sampling.h"

namespace GRPO_API grpo {

/// The config's section `rollout`. `describe` documents its options, and configs/README.md lists them.
struct RolloutSection {
  SamplingParams sampling;
  int64_t max_slots = 0;
  double kv_cache_gib = 2.0;
  int64_t partial_rollout_length = 0;
  std::optional<double> final_temperature;
  ComputeDType compute_dtype = ComputeDType::kFloat32;
  KvDType kv_dtype = KvDType::kFloat32;
  bool allow_off_policy_sampling = false;

  /// The temperature of optimiser step `step` (0 = first) of so many.
  double temperature_at(int64_t step, int64_t total_steps) const;
};

void describe(ConfigVisitor& visitor, RolloutSection& section);

EngineOptions engine_options(const RolloutSection& section);

}  // namespace grpo
