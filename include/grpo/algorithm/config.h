#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace grpo {

class ConfigVisitor;

/// What an advantage is divided by.
enum class ScaleRewards {
  kGroup,  // the standard deviation of the group
  kBatch,  // the standard deviation of the whole batch
  kNone,   // nothing (Dr. GRPO, arXiv 2503.20783)
};

/// How several reward functions become one advantage.
enum class RewardAggregation {
  kSumThenNormalize,  // weighted sum, then group normalisation
  kNormalizeThenSum,  // group z-score of each function, weighted sum, then divided by the batch's deviation; ignores scale_rewards
};

/// Rewards to advantages. Names and defaults are TRL's.
struct AdvantageConfig {
  ScaleRewards scale_rewards = ScaleRewards::kGroup;
  RewardAggregation multi_objective_aggregation = RewardAggregation::kSumThenNormalize;
  std::vector<double> reward_weights = {};  // one per reward function; empty: all 1
};
void describe(ConfigVisitor& visitor, AdvantageConfig& config);

/// A named row of `loss_table()`.
enum class LossType { kGrpo, kBnpo, kDrGrpo, kDapo, kCispo, kSapo, kLuspo, kVespo };

/// What one importance ratio covers.
enum class ImportanceSamplingLevel {
  kToken,
  kSequence,  // exp(mean of the sequence's log-ratios), GSPO (arXiv 2507.18071)
};

/// How the ratio trained policy / sampler, exp(old − sampling), is bounded before it multiplies the loss.
enum class CorrectionMode {
  kTokenTruncate,     // clamped into [clip_min, clip_max]
  kTokenMask,         // 0 outside [clip_min, clip_max]
  kSequenceTruncate,  // as above, one ratio of the whole sequence: exp(sum of log-ratios)
  kSequenceMask,
};

/// Estimators of KL(policy ‖ reference) per token; kl.h has the formulas.
enum class KlEstimator { kK1, kK2, kK3 };

/// The policy objective. Names are TRL's; so are the defaults but for the sampler correction (token_truncate with cap 2: a sequence ratio
/// is a product over tokens, so masking by it removes long sequences first).
struct LossConfig {
  LossType loss_type = LossType::kDapo;
  ImportanceSamplingLevel importance_sampling_level = ImportanceSamplingLevel::kToken;
  double epsilon = 0.2;  // the ratio is clipped below at 1 − epsilon
  /// And above at 1 + epsilon_high (unset: epsilon). cispo: the cap on the ratio itself, about 5.
  std::optional<double> epsilon_high = std::nullopt;
  std::optional<double> delta = std::nullopt;  // cap on the unclipped ratio: bounds negative advantages (dual clip)

  double beta = 0.0;  // weight of the KL to the reference policy
  KlEstimator kl_estimator = KlEstimator::kK3;
  bool use_bias_correction_kl = true;  // multiply the KL by the ratio, gradient included (DeepSeek-V3.2, arXiv 2512.02556); not for k2

  double sapo_temperature_pos = 1.0;   // advantage > 0
  double sapo_temperature_neg = 1.05;  // advantage ≤ 0
  double vespo_k_pos = 2.0;            // advantage ≥ 0
  double vespo_lambda_pos = 3.0;
  double vespo_k_neg = 3.0;
  double vespo_lambda_neg = 2.0;

  double top_entropy_quantile = 1.0;  // share of tokens, highest entropy first, that the policy term keeps (arXiv 2506.01939: 0.2)
  double entropy_coef = 0.0;          // weight of the mean entropy per token, in nats
  bool use_adaptive_entropy = false;  // entropy_coef is the start value of an AdaptiveEntropy
  double entropy_coef_min = 0.0;
  double entropy_coef_max = 1.0;
  double entropy_coef_delta = 0.005;  // step of the coefficient per optimiser step
  double entropy_target = 0.2;        // nats

  bool importance_sampling_correction = true;  // where the batch has the sampler's log-probs
  CorrectionMode importance_sampling_mode = CorrectionMode::kTokenTruncate;
  std::optional<double> importance_sampling_clip_max = 2.0;
  std::optional<double> importance_sampling_clip_min = std::nullopt;
  /// Nats per token: sequences of negative advantage that drifted further from the sampler are left out.
  std::optional<double> off_policy_mask_threshold = std::nullopt;
};
void describe(ConfigVisitor& visitor, LossConfig& config);

/// Refuses settings that contradict each other, all of them at once. Throws a usage error.
void validate(const LossConfig& config);

/// What a token contributes, r = ratio, A = advantage; the formulas stand in src/algorithm/surrogate.cpp.
enum class Surrogate { kClip, kCispo, kSapo, kVespo };

/// Weight of one token; T_i tokens in the loss of sequence i, N and B tokens and sequences of the normaliser.
enum class Aggregation {
  kSequenceMean,    // 1 / (B · T_i)
  kTokenMean,       // 1 / N
  kSequenceSum,     // 1 / B
  kConstantLength,  // 1 / (B · max_completion_length)
};

/// Over what N is counted: any split of a step gives the same gradient for kStep, not for kMicroBatch.
enum class LossScope { kStep, kMicroBatch };

struct LossRow {
  LossType type;
  std::string_view name;  // in configs
  Surrogate surrogate;
  Aggregation aggregation;
  LossScope scope;
};

/// Every loss, in the order of LossType.
std::span<const LossRow> loss_table();
const LossRow& loss_row(LossType type);

}  // namespace grpo
