#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/algorithm/config.h"
#include "support/fixture_config.h"
#include "support/parity.h"

namespace grpo::testing {

/// Which test reads which `format` of parity/trl; a file of another format fails `ParityFormats`.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kHandledFormats = {{
    {"grpo-loss", "algorithm: parity_loss_test"},
    {"grpo-advantages", "algorithm: parity_advantages_test"},
    {"rloo", "algorithm: parity_rloo_test"},
    {"grpo-e2e", "trainer: parity_test"},
    {"grpo-train", "trainer: parity_test"},
}};

inline std::filesystem::path trl_dir() { return parity_dir() / "trl"; }

/// The case files of one format, by file name.
inline std::map<std::string, nlohmann::json> trl_files(std::string_view format) {
  std::map<std::string, nlohmann::json> files;
  for (const auto& entry : std::filesystem::directory_iterator(trl_dir())) {
    if (entry.path().extension() != ".json") continue;
    auto content = read_json(entry.path());
    if (content.at("format") == format) files[entry.path().filename().string()] = std::move(content);
  }
  return files;
}

/// A number; null is NaN, "inf" and "-inf" infinite.
inline double number(const nlohmann::json& value) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (value.is_string()) return value == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  return value.get<double>();
}

inline std::optional<double> optional_number(const nlohmann::json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

inline std::vector<std::vector<double>> table(const nlohmann::json& rows) {
  std::vector<std::vector<double>> result;
  for (const auto& row : rows) {
    auto& values = result.emplace_back();
    for (const auto& value : row) values.push_back(number(value));
  }
  return result;
}

template <size_t kCount>
int index_of(const std::array<std::string_view, kCount>& names, const nlohmann::json& name) {
  const auto found = std::ranges::find(names, name.get<std::string>());
  if (found == names.end()) throw std::runtime_error("unknown name in a fixture: " + name.dump());
  return static_cast<int>(found - names.begin());
}

/// `scale_rewards` may be a boolean: TRL's old spelling of group and none.
inline AdvantageConfig advantage_config(const FixtureConfig& config) {
  const auto& scale = config.take("scale_rewards");
  const nlohmann::json scale_name = scale.is_boolean() ? nlohmann::json(scale.get<bool>() ? "group" : "none") : scale;
  AdvantageConfig result;
  result.scale_rewards = static_cast<ScaleRewards>(index_of<3>({"group", "batch", "none"}, scale_name));
  result.multi_objective_aggregation =
      static_cast<RewardAggregation>(index_of<2>({"sum_then_normalize", "normalize_then_sum"}, config.take("multi_objective_aggregation")));
  result.reward_weights = config.take_or<std::vector<double>>("reward_weights", {});
  return result;
}

/// The options of the loss. The sampler's ratio is applied where the test's samples have its log-probs and the fixture asks for it.
inline LossConfig loss_config(const FixtureConfig& config, bool sampled) {
  LossConfig result;
  const auto type = config.take<std::string>("loss_type");
  const auto row = std::ranges::find(loss_table(), type, &LossRow::name);
  if (row == std::ranges::end(loss_table())) throw std::runtime_error("unknown loss_type in a fixture: " + type);
  result.loss_type = row->type;
  result.importance_sampling_level =
      static_cast<ImportanceSamplingLevel>(index_of<2>({"token", "sequence"}, config.take("importance_sampling_level")));
  result.epsilon_high = optional_number(config.take("epsilon_high"));
  result.delta = optional_number(config.take("delta"));
  result.use_bias_correction_kl = config.take("use_bias_correction_kl");
  result.use_adaptive_entropy = config.take("use_adaptive_entropy");
  result.importance_sampling_correction = config.take<bool>("vllm_importance_sampling_correction") && sampled;
  result.importance_sampling_mode = static_cast<CorrectionMode>(
      index_of<4>({"token_truncate", "token_mask", "sequence_truncate", "sequence_mask"}, config.take("vllm_importance_sampling_mode")));
  result.importance_sampling_clip_max = optional_number(config.take("vllm_importance_sampling_clip_max"));
  result.importance_sampling_clip_min = optional_number(config.take("vllm_importance_sampling_clip_min"));
  result.off_policy_mask_threshold = optional_number(config.take("off_policy_mask_threshold"));
  const std::map<std::string, double*> numbers{{"epsilon", &result.epsilon},
                                               {"beta", &result.beta},
                                               {"top_entropy_quantile", &result.top_entropy_quantile},
                                               {"entropy_coef", &result.entropy_coef},
                                               {"entropy_target", &result.entropy_target},
                                               {"entropy_coef_min", &result.entropy_coef_min},
                                               {"entropy_coef_max", &result.entropy_coef_max},
                                               {"entropy_coef_delta", &result.entropy_coef_delta},
                                               {"sapo_temperature_pos", &result.sapo_temperature_pos},
                                               {"sapo_temperature_neg", &result.sapo_temperature_neg},
                                               {"vespo_k_pos", &result.vespo_k_pos},
                                               {"vespo_lambda_pos", &result.vespo_lambda_pos},
                                               {"vespo_k_neg", &result.vespo_k_neg},
                                               {"vespo_lambda_neg", &result.vespo_lambda_neg}};
  for (const auto& [name, field] : numbers) *field = config.take(name);
  return result;
}

/// Within `tolerance` relative plus absolute; NaN equals NaN.
inline bool near(double value, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(value);
  return std::abs(value - expected) <= tolerance * (1 + std::abs(expected));
}

}  // namespace grpo::testing
