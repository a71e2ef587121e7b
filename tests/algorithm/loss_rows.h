#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "grpo/algorithm/config.h"
#include "grpo/core/error.h"

namespace grpo::testing {

inline constexpr ImportanceSamplingLevel kLevels[] = {ImportanceSamplingLevel::kToken, ImportanceSamplingLevel::kSequence,
                                                      ImportanceSamplingLevel::kSequenceToken, ImportanceSamplingLevel::kSequenceSum};

inline LossConfig config_of(const LossRow& row, ImportanceSamplingLevel level = ImportanceSamplingLevel::kToken) {
  LossConfig config;
  config.loss_type = row.type;
  config.importance_sampling_level = level;
  config.importance_sampling_correction = false;
  if (row.surrogate == Surrogate::kCispo) config.epsilon_high = 5.0;
  if (row.surrogate == Surrogate::kClipCov) config.clip_cov_ratio = 0.1, config.clip_cov_min = 0.02;  // so that some are dropped
  if (row.surrogate == Surrogate::kKlCov) config.kl_cov_ratio = 0.2;
  return config;
}

inline bool is_legal(const LossConfig& config) {
  try {
    validate(config);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// The levels that a row may have.
inline std::vector<ImportanceSamplingLevel> levels_of(const LossRow& row) {
  std::vector<ImportanceSamplingLevel> levels;
  for (const auto level : kLevels) {
    if (is_legal(config_of(row, level))) levels.push_back(level);
  }
  return levels;
}

/// Each option that changes the arithmetic, once.
inline std::vector<std::pair<std::string, std::function<void(LossConfig&)>>> loss_options() {
  std::vector<std::pair<std::string, std::function<void(LossConfig&)>>> options = {
      {"plain", [](LossConfig&) {}},
      {"token_mask",
       [](LossConfig& c) {
         c.importance_sampling_correction = true, c.importance_sampling_mode = CorrectionMode::kTokenMask;
         c.importance_sampling_clip_max = 1.1, c.importance_sampling_clip_min = 0.8;
       }},
      {"sequence_truncate",
       [](LossConfig& c) {
         c.importance_sampling_correction = true, c.importance_sampling_mode = CorrectionMode::kSequenceTruncate;
         c.importance_sampling_clip_max = 1.2;
       }},
      {"geometric", [](LossConfig& c) { c.rejection_mode = RejectionMode::kGeometric, c.rejection_max = 1.05, c.rejection_min = 0.9; }},
      {"k1", [](LossConfig& c) { c.rejection_mode = RejectionMode::kK1, c.rejection_max = 0.05; }},
      {"k3", [](LossConfig& c) { c.rejection_mode = RejectionMode::kK3, c.rejection_max = 0.01; }},
      {"off_policy_mask", [](LossConfig& c) { c.off_policy_mask_threshold = 0.02; }},
      {"entropy", [](LossConfig& c) { c.entropy_coef = 0.1, c.top_entropy_quantile = 0.4; }},
      {"delta", [](LossConfig& c) { c.delta = 1.1; }}};
  for (const auto& row : kl_table()) {
    for (const bool corrected : {false, true}) {
      options.emplace_back("kl " + std::string(row.name) + (corrected ? " corrected" : ""),
                           [estimator = row.estimator, corrected](auto& c) {
                             c.beta = 0.1, c.kl_estimator = estimator, c.use_bias_correction_kl = corrected;
                           });
    }
  }
  return options;
}

struct Variant {
  std::string name;
  LossConfig config;
};

/// The options that read the ratio, so that its level matters to them.
inline bool meets_the_level(const std::string& option) {
  return option == "plain" || option == "delta" || option == "sequence_truncate" || option == "kl k3 corrected";
}

/// The legal settings round a row: each option at token level, and at the other levels those that read the ratio.
inline std::vector<Variant> variants_of(const LossRow& row) {
  static constexpr const char* kNames[] = {"/token/", "/sequence/", "/sequence_token/", "/sequence_sum/"};
  std::vector<Variant> variants;
  for (const auto level : levels_of(row)) {
    for (const auto& [name, change] : loss_options()) {
      if (level != ImportanceSamplingLevel::kToken && !meets_the_level(name)) continue;
      LossConfig config = config_of(row, level);
      change(config);
      if (is_legal(config)) variants.push_back({std::string(row.name) + kNames[static_cast<size_t>(level)] + name, config});
    }
  }
  return variants;
}

}  // namespace grpo::testing
