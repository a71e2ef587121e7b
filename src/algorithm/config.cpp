#include "grpo/algorithm/config.h"

#include <array>
#include <string>

#include "grpo/core/config.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr std::array kLossTable = {
    LossRow{LossType::kGrpo, "grpo", Surrogate::kClip, Aggregation::kSequenceMean, LossScope::kStep},
    LossRow{LossType::kBnpo, "bnpo", Surrogate::kClip, Aggregation::kTokenMean, LossScope::kMicroBatch},
    LossRow{LossType::kDrGrpo, "dr_grpo", Surrogate::kClip, Aggregation::kConstantLength, LossScope::kStep},
    LossRow{LossType::kDapo, "dapo", Surrogate::kClip, Aggregation::kTokenMean, LossScope::kStep},
    LossRow{LossType::kCispo, "cispo", Surrogate::kCispo, Aggregation::kTokenMean, LossScope::kStep},
    LossRow{LossType::kSapo, "sapo", Surrogate::kSapo, Aggregation::kSequenceMean, LossScope::kStep},
    LossRow{LossType::kLuspo, "luspo", Surrogate::kClip, Aggregation::kSequenceSum, LossScope::kStep},
    LossRow{LossType::kVespo, "vespo", Surrogate::kVespo, Aggregation::kTokenMean, LossScope::kStep},
};

void describe_policy_term(ConfigVisitor& visitor, LossConfig& config) {
  std::vector<std::string> names;
  for (const LossRow& row : kLossTable) names.emplace_back(row.name);
  visitor.enumeration("loss_type", config.loss_type, names, "The policy loss.");
  visitor.enumeration("importance_sampling_level", config.importance_sampling_level, {"token", "sequence"},
                      "What one importance ratio covers; sequence is GSPO.");
  visitor.field("epsilon", config.epsilon, "The ratio is clipped below at 1 - epsilon.", kNonNegative);
  visitor.field("epsilon_high", config.epsilon_high,
                "The ratio is clipped above at 1 + epsilon_high; unset: epsilon. For cispo the cap on the ratio itself, about 5.",
                kNonNegative);
  visitor.field("delta", config.delta, "Cap on the unclipped ratio: bounds the loss of negative advantages.", kPositive);
  visitor.field("sapo_temperature_pos", config.sapo_temperature_pos, "sapo: temperature where the advantage is positive.", kPositive);
  visitor.field("sapo_temperature_neg", config.sapo_temperature_neg, "sapo: temperature elsewhere.", kPositive);
  visitor.field("vespo_k_pos", config.vespo_k_pos, "vespo: exponent where the advantage is not negative.", kNonNegative);
  visitor.field("vespo_lambda_pos", config.vespo_lambda_pos, "vespo: decay where the advantage is not negative.", kNonNegative);
  visitor.field("vespo_k_neg", config.vespo_k_neg, "vespo: exponent where the advantage is negative.", kNonNegative);
  visitor.field("vespo_lambda_neg", config.vespo_lambda_neg, "vespo: decay where the advantage is negative.", kNonNegative);
}

void describe_entropy(ConfigVisitor& visitor, LossConfig& config) {
  visitor.field("top_entropy_quantile", config.top_entropy_quantile,
                "Share of tokens, by entropy from the top, that the policy term keeps; 1 keeps all.", kFraction);
  visitor.field("entropy_coef", config.entropy_coef, "Weight of the mean entropy per token.", kNonNegative);
  visitor.field("use_adaptive_entropy", config.use_adaptive_entropy, "Steer entropy_coef towards entropy_target.");
  visitor.field("entropy_coef_min", config.entropy_coef_min, "Lower bound of the adaptive coefficient.", kNonNegative);
  visitor.field("entropy_coef_max", config.entropy_coef_max, "Upper bound of the adaptive coefficient.", kNonNegative);
  visitor.field("entropy_coef_delta", config.entropy_coef_delta, "Change of the adaptive coefficient per optimiser step.", kNonNegative);
  visitor.field("entropy_target", config.entropy_target, "Entropy per token, in nats, below which the bonus is paid.", kNonNegative);
}

void describe_sampler(ConfigVisitor& visitor, LossConfig& config) {
  visitor.field("importance_sampling_correction", config.importance_sampling_correction,
                "Weight the loss by the ratio of the trained policy to the sampler, where the sampler's log-probs are known.");
  visitor.enumeration("importance_sampling_mode", config.importance_sampling_mode,
                      {"token_truncate", "token_mask", "sequence_truncate", "sequence_mask"},
                      "How that ratio is bounded: per token or sequence, clamped or set to zero.");
  visitor.field("importance_sampling_clip_max", config.importance_sampling_clip_max, "Largest ratio; null: no bound.", kPositive);
  visitor.field("importance_sampling_clip_min", config.importance_sampling_clip_min, "Smallest ratio; null: no bound.", kNonNegative);
  visitor.field("off_policy_mask_threshold", config.off_policy_mask_threshold,
                "Leave out sequences with a negative advantage whose mean log-ratio sampler / policy exceeds this, in nats; null: none.",
                kNonNegative);
}

}  // namespace

std::span<const LossRow> loss_table() { return kLossTable; }

const LossRow& loss_row(LossType type) { return kLossTable.at(static_cast<size_t>(type)); }

void describe(ConfigVisitor& visitor, AdvantageConfig& config) {
  visitor.enumeration("scale_rewards", config.scale_rewards, {"group", "batch", "none"},
                      "Divide advantages by the standard deviation of the group, of the batch, or by nothing.");
  visitor.enumeration("multi_objective_aggregation", config.multi_objective_aggregation, {"sum_then_normalize", "normalize_then_sum"},
                      "How several reward functions become one advantage.");
  visitor.field("reward_weights", config.reward_weights, "Weight of each reward function; empty: all 1.");
}

void describe(ConfigVisitor& visitor, LossConfig& config) {
  describe_policy_term(visitor, config);
  visitor.field("beta", config.beta, "Weight of the KL to the reference policy; 0 loads none.", kNonNegative);
  visitor.enumeration("kl_estimator", config.kl_estimator, {"k1", "k2", "k3"}, "Estimator of that KL.");
  visitor.field("use_bias_correction_kl", config.use_bias_correction_kl, "Multiply the KL by the importance ratio, gradient included.");
  describe_entropy(visitor, config);
  describe_sampler(visitor, config);
}

void validate(const LossConfig& config) {
  std::string faults;
  const auto refuse = [&](bool wrong, std::string_view fault) {
    if (wrong) faults.append(faults.empty() ? "" : "; ").append(fault);
  };
  const Surrogate surrogate = loss_row(config.loss_type).surrogate;
  refuse(surrogate == Surrogate::kCispo && !config.epsilon_high,
         "expected epsilon_high with loss_type cispo (the cap on the ratio itself, about 5); got none");
  refuse(config.delta && surrogate != Surrogate::kClip, "expected delta only with a clipped loss_type; got it with cispo, sapo or vespo");
  refuse(config.beta != 0.0 && config.kl_estimator == KlEstimator::kK1 && !config.use_bias_correction_kl,
         "expected kl_estimator k2 or k3, or use_bias_correction_kl; got plain k1, whose expected gradient is zero");
  refuse(config.beta != 0.0 && config.kl_estimator == KlEstimator::kK2 && config.use_bias_correction_kl,
         "expected use_bias_correction_kl off with kl_estimator k2, whose gradient is right without it; got it on");
  refuse(config.importance_sampling_clip_min && config.importance_sampling_clip_max &&
             *config.importance_sampling_clip_min >= *config.importance_sampling_clip_max,
         "expected importance_sampling_clip_min < importance_sampling_clip_max; got the contrary");
  refuse(config.use_adaptive_entropy && !(config.entropy_coef_min <= config.entropy_coef && config.entropy_coef <= config.entropy_coef_max),
         "expected entropy_coef_min <= entropy_coef <= entropy_coef_max; got a start value outside");
  if (!faults.empty()) fail_usage("LossConfig", faults);
}

}  // namespace grpo
