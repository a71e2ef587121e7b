#include "grpo/rollout/config.h"

#include <algorithm>

#include "grpo/core/config.h"

namespace grpo {

void describe(ConfigVisitor& v, RolloutSection& c) {
  describe(v, c.sampling);
  v.field(
      "partial_rollout_length", c.partial_rollout_length,
      "Partial rollouts (Kimi k1.5): a sample that has not ended after so many tokens waits for the next rollout, which goes on with it "
      "under newer weights; its group is trained on when all its samples have ended. 0 = every sample ends in its own rollout.",
      kNonNegative);
  v.field("final_temperature", c.final_temperature,
          "The temperature moves from its first value to this one, linearly over the steps of training; null: it stays.", kPositive);
  v.field("max_slots", c.max_slots, "Samples decoded at a time; 0 = as many as the device computes fastest, within kv_cache_gib.",
          kNonNegative);
  v.field("kv_cache_gib", c.kv_cache_gib, "Memory for keys and values.", kPositive);
  v.enumeration("compute_dtype", c.compute_dtype, {"float32", "bfloat16", "int8"},
                "What linear layers multiply while sampling: float32 samples from the trained distribution; the others are faster, and "
                "importance sampling corrects for their rounding.");
  v.enumeration("kv_dtype", c.kv_dtype, {"float32", "bfloat16"},
                "What keys and values are kept in: bfloat16 takes half the memory, and is corrected for in the same way.");
  v.field("allow_off_policy_sampling", c.allow_off_policy_sampling,
          "Allow top-k, top-p, min-p and penalties in training, and rounded sampling without importance_sampling_correction.");
}

double RolloutSection::temperature_at(int64_t step, int64_t total_steps) const {
  const double start = sampling.temperature;
  if (!final_temperature) return start;
  return start + (*final_temperature - start) * static_cast<double>(step) / static_cast<double>(std::max<int64_t>(total_steps - 1, 1));
}

EngineOptions engine_options(const RolloutSection& c) {
  return {.max_slots = c.max_slots,
          .kv_budget_bytes = static_cast<int64_t>(c.kv_cache_gib * (int64_t{1} << 30)),
          .compute_dtype = c.compute_dtype,
          .kv_dtype = c.kv_dtype};
}

}  // namespace grpo
