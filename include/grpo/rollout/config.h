#pragma once

#include <cstdint>
#include <optional>

#include "grpo/rollout/engine.h"
#include "grpo/rollout/sampling.h"

namespace grpo {

/// The config's section `rollout`.
struct RolloutSection {
  SamplingParams sampling;
  int64_t max_slots = 0;
  double kv_cache_gib = 2.0;
  int64_t partial_rollout_length = 0;       // tokens after which a sample waits for the next rollout to go on; 0 = it ends in its own
  std::optional<double> final_temperature;  // the temperature moves there, linearly over the steps of training
  ComputeDType compute_dtype = ComputeDType::kFloat32;
  KvDType kv_dtype = KvDType::kFloat32;
  /// Sampling with top-k, top-p, min-p or a penalty trains on another distribution than the one sampled: an error unless allowed.
  bool allow_off_policy_sampling = false;

  /// The temperature of optimiser step `step` (0 = first) of so many.
  double temperature_at(int64_t step, int64_t total_steps) const;
};

void describe(ConfigVisitor& visitor, RolloutSection& section);

EngineOptions engine_options(const RolloutSection& section);

}  // namespace grpo
