#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/options.h"

namespace GRPO_API grpo {

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

/// How rewards become advantages. Names and defaults are TRL's where TRL has the option. As in every config struct, `describe` documents
/// the options, and configs/README.md lists them.
struct AdvantageConfig {
  ScaleRewards scale_rewards = ScaleRewards::kGroup;
  RewardAggregation multi_objective_aggregation = RewardAggregation::kSumThenNormalize;
  std::vector<double> reward_weights = {};
  std::string advantage_estimator = "group";  // advantages.h has the formulas of the built-in ones
  NamedOptions advantage_options = {};
  bool normalize_advantages = false;
  std::vector<double> reward_clip_range = {};
  int64_t pass_k = 4;
};
void describe(ConfigVisitor& visitor, AdvantageConfig& config);

/// A named row of `loss_table()`.
enum class LossType { kGrpo, kBnpo, kDrGrpo, kDapo, kCispo, kSapo, kLuspo, kVespo, kPpo, kGmpo, kReinforce, kClipCov, kKlCov };

/// What one importance ratio covers.
enum class ImportanceSamplingLevel {
  kToken,
  kSequence,       // s = exp(mean of the sequence's log-ratios), GSPO (arXiv 2507.18071)
  kSequenceToken,  // its value, and the token's own gradient: sg(s) · π / sg(π), GSPO-token
  kSequenceSum,    // exp(sum of the sequence's log-ratios), RLOO's: long sequences soon leave the clip range
};

/// How the ratio trained policy / sampler, exp(old − sampling), is bounded before it multiplies the loss.
enum class CorrectionMode {
  kTokenTruncate,     // clamped into [clip_min, clip_max]
  kTokenMask,         // 0 outside [clip_min, clip_max]
  kSequenceTruncate,  // as above, one ratio of the whole sequence: exp(sum of log-ratios)
  kSequenceMask,
};

/// Which sequences lose their policy term because their sampler is too far from the policy, whatever their length. With l = old − sampling,
/// in nats, and means over the sequence's tokens in the loss:
enum class RejectionMode {
  kNone,
  kGeometric,  // exp(mean l) outside [rejection_min, rejection_max]
  kK1,         // |mean l| above rejection_max
  kK3,         // mean (e^l − l − 1), the KL from the sampler to the policy, above rejection_max
};

/// Estimators of KL(policy ‖ reference) per token; kl.h has the formulas.
enum class KlEstimator { kK1, kK2, kK3, kAbs, kK1Plus, kK3Plus };

/// The policy objective. Names are TRL's; so are the defaults but for the sampler correction (token_truncate with cap 2: a sequence ratio
/// is a product over tokens, so masking by it removes long sequences first).
struct LossConfig {
  LossType loss_type = LossType::kDapo;
  std::string custom_loss = {};
  NamedOptions custom_loss_options = {};
  ImportanceSamplingLevel importance_sampling_level = ImportanceSamplingLevel::kToken;
  double epsilon = 0.2;
  std::optional<double> epsilon_high = std::nullopt;
  std::optional<double> delta = std::nullopt;

  double beta = 0.0;
  KlEstimator kl_estimator = KlEstimator::kK3;
  bool use_bias_correction_kl = true;
  bool use_kl_in_reward = false;
  bool use_adaptive_kl = false;
  double kl_target = 0.1;
  double kl_horizon = 10000;

  double sapo_temperature_pos = 1.0;
  double sapo_temperature_neg = 1.05;
  double vespo_k_pos = 2.0;
  double vespo_lambda_pos = 3.0;
  double vespo_k_neg = 3.0;
  double vespo_lambda_neg = 2.0;
  double clip_cov_ratio = 2e-4;
  double clip_cov_min = 1.0;
  double clip_cov_max = 5.0;
  double kl_cov_ratio = 2e-4;
  double kl_cov_coef = 1.0;

  double top_entropy_quantile = 1.0;
  double entropy_coef = 0.0;
  bool use_adaptive_entropy = false;
  double entropy_coef_min = 0.0;
  double entropy_coef_max = 1.0;
  double entropy_coef_delta = 0.005;
  double entropy_target = 0.2;

  bool importance_sampling_correction = true;
  CorrectionMode importance_sampling_mode = CorrectionMode::kTokenTruncate;
  std::optional<double> importance_sampling_clip_max = 2.0;
  std::optional<double> importance_sampling_clip_min = std::nullopt;
  std::optional<double> off_policy_mask_threshold = std::nullopt;
  RejectionMode rejection_mode = RejectionMode::kNone;
  std::optional<double> rejection_max = std::nullopt;
  std::optional<double> rejection_min = std::nullopt;
};
void describe(ConfigVisitor& visitor, LossConfig& config);

/// Refuse settings that contradict each other, all of them at once. Throw a usage error.
void validate(const LossConfig& config);
void validate(const AdvantageConfig& config);
/// Between the two.
void validate(const LossConfig& loss, const AdvantageConfig& advantage);

/// What a token contributes, r = ratio, A = advantage; the formulas stand in src/algorithm/surrogate.cpp.
enum class Surrogate { kClip, kCispo, kSapo, kVespo, kGmpo, kReinforce, kClipCov, kKlCov };

/// Weight of one token; T_i tokens in the loss of sequence i, N and B tokens and sequences of the normaliser.
enum class Aggregation {
  kSequenceMean,    // 1 / (B · T_i)
  kTokenMean,       // 1 / N
  kSequenceSum,     // 1 / B
  kConstantLength,  // 1 / (B · max_completion_length)
};

/// Over what N is counted: any split of a step gives the same gradient for kStep, not for kMicroBatch.
enum class LossScope { kStep, kMicroBatch };

/// For people; what configs/README.md prints.
struct Description {
  std::string_view equation;
  std::string_view source;  // paper
  std::string_view cost;    // beside one forward and backward pass over the rollouts
};

struct LossRow {
  LossType type;
  std::string_view name;  // in configs
  Surrogate surrogate;
  Aggregation aggregation;
  LossScope scope;
  Description description;
};

/// Every loss, in the order of LossType.
std::span<const LossRow> loss_table();
const LossRow& loss_row(LossType type);

/// Whether the surrogate picks tokens by their covariance, so that the normaliser must have `LossNormalizer::covariance`.
inline bool needs_covariance(Surrogate surrogate) { return surrogate == Surrogate::kClipCov || surrogate == Surrogate::kKlCov; }

struct EstimatorRow {
  std::string_view name;  // in configs
  Description description;
};

/// Every built-in advantage estimator.
std::span<const EstimatorRow> estimator_table();
/// Whether that is the name of one.
bool is_builtin_estimator(std::string_view name);

struct KlRow {
  KlEstimator estimator;
  std::string_view name;  // in configs
  Description description;
};

/// Every KL estimator, in the order of KlEstimator.
std::span<const KlRow> kl_table();

/// Whether `use_bias_correction_kl` is right for it: the ratio repairs the gradients of k1 and k3, and spoils those of the others.
inline bool takes_bias_correction(KlEstimator estimator) { return estimator == KlEstimator::kK1 || estimator == KlEstimator::kK3; }

/// Losses, advantages and KL estimators as Markdown tables: what configs/README.md says of them.
std::string objective_reference();

/// The names of a table's rows, as configs have them.
std::vector<std::string> names_of(const auto& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  return names;
}

/// Described names as a Markdown table, `default_name` marked.
std::string markdown_table(std::string_view head, std::span<const std::pair<std::string_view, Description>> rows,
                           std::string_view default_name);
/// The same of a table's rows.
std::string markdown_table(std::string_view head, const auto& table, std::string_view default_name) {
  std::vector<std::pair<std::string_view, Description>> rows;
  for (const auto& row : table) rows.emplace_back(row.name, row.description);
  return markdown_table(head, std::span<const std::pair<std::string_view, Description>>(rows), default_name);
}

}  // namespace grpo
