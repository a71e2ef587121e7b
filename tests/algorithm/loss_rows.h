#pragma once

#include <string>
#include <vector>

#include "grpo/algorithm/config.h"

namespace grpo::testing {

inline LossConfig config_of(const LossRow& row, ImportanceSamplingLevel level = ImportanceSamplingLevel::kToken) {
  LossConfig config;
  config.loss_type = row.type;
  config.importance_sampling_level = level;
  config.importance_sampling_correction = false;
  if (row.surrogate == Surrogate::kCispo) config.epsilon_high = 5.0;
  return config;
}

inline constexpr ImportanceSamplingLevel kLevels[] = {ImportanceSamplingLevel::kToken, ImportanceSamplingLevel::kSequence};

struct Variant {
  std::string name;
  LossConfig config;
};

/// The legal settings round a row: each option that changes the arithmetic, once.
inline std::vector<Variant> variants_of(const LossRow& row) {
  std::vector<Variant> variants;
  for (const auto level : kLevels) {
    const LossConfig base = config_of(row, level);
    const auto add = [&](const std::string& name, auto&& change) {
      LossConfig config = base;
      change(config);
      variants.push_back({std::string(row.name) + (level == ImportanceSamplingLevel::kToken ? "/token/" : "/sequence/") + name, config});
    };
    add("plain", [](LossConfig&) {});
    add("k3 corrected", [](LossConfig& c) { c.beta = 0.1; });
    add("k2", [](LossConfig& c) { c.beta = 0.1, c.kl_estimator = KlEstimator::kK2, c.use_bias_correction_kl = false; });
    add("token_mask", [](LossConfig& c) {
      c.importance_sampling_correction = true, c.importance_sampling_mode = CorrectionMode::kTokenMask;
      c.importance_sampling_clip_max = 1.1, c.importance_sampling_clip_min = 0.8;
    });
    add("sequence_truncate", [](LossConfig& c) {
      c.importance_sampling_correction = true, c.importance_sampling_mode = CorrectionMode::kSequenceTruncate;
      c.importance_sampling_clip_max = 1.2;
    });
    add("off_policy_mask", [](LossConfig& c) { c.off_policy_mask_threshold = 0.02; });
    add("entropy", [](LossConfig& c) { c.entropy_coef = 0.1, c.top_entropy_quantile = 0.4; });
    if (row.surrogate == Surrogate::kClip) add("delta", [](LossConfig& c) { c.delta = 1.1; });
  }
  return variants;
}

}  // namespace grpo::testing
