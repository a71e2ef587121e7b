#include "grpo/algorithm/config.h"

#include <string>
#include <vector>

#include "core/faults.h"
#include "grpo/core/config.h"

namespace grpo {
namespace {

void describe_policy_term(ConfigVisitor& visitor, LossConfig& config) {
  visitor.enumeration("loss_type", config.loss_type, names_of(loss_table()), "The policy loss.");
  visitor.part("custom_loss", config.custom_loss, "loss",
               "A registered policy term of your own in place of that of loss_type, which must be a clipped one and gives the weights of "
               "tokens; empty: none.");
  visitor.options("custom_loss_options", config.custom_loss_options, "The options of custom_loss.");
  visitor.enumeration("importance_sampling_level", config.importance_sampling_level,
                      {"token", "sequence", "sequence_token", "sequence_sum"},
                      "What one importance ratio covers; sequence is GSPO, sequence_token GSPO-token, sequence_sum RLOO.");
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
  visitor.field("clip_cov_ratio", config.clip_cov_ratio, "clip_cov: largest share of the step's tokens that is left out.", kFraction);
  visitor.field("clip_cov_min", config.clip_cov_min, "clip_cov: smallest covariance of such a token.");
  visitor.field("clip_cov_max", config.clip_cov_max, "clip_cov: largest covariance of such a token.");
  visitor.field("kl_cov_ratio", config.kl_cov_ratio, "kl_cov: share of the step's tokens that is held back.", kFraction);
  visitor.field("kl_cov_coef", config.kl_cov_coef, "kl_cov: weight of their |log-ratio|.", kNonNegative);
}

void describe_kl(ConfigVisitor& visitor, LossConfig& config) {
  visitor.field("beta", config.beta, "Weight of the KL to the reference policy; 0 loads none.", kNonNegative);
  visitor.enumeration("kl_estimator", config.kl_estimator, names_of(kl_table()), "Estimator of that KL.");
  visitor.field("use_bias_correction_kl", config.use_bias_correction_kl,
                "Multiply the KL by the importance ratio, gradient included: for k1 and k3 in the loss (DeepSeek-V3.2, arXiv 2512.02556).");
  visitor.field("use_kl_in_reward", config.use_kl_in_reward,
                "Subtract beta * k1 from each token's reward instead of adding the KL to the loss; needs kl_estimator k1.");
  visitor.field("use_adaptive_kl", config.use_adaptive_kl, "Steer beta towards kl_target.");
  visitor.field("kl_target", config.kl_target, "KL per token, in nats, that the adaptive beta aims at.", kPositive);
  visitor.field("kl_horizon", config.kl_horizon, "Sequences over which the adaptive beta changes by a fifth at most.", kPositive);
}

void describe_entropy(ConfigVisitor& visitor, LossConfig& config) {
  visitor.field("top_entropy_quantile", config.top_entropy_quantile,
                "Share of tokens, by entropy from the top, that the policy term keeps (arXiv 2506.01939: 0.2); 1 keeps all.", kFraction);
  visitor.field("entropy_coef", config.entropy_coef, "Weight of the mean entropy per token, in nats.", kNonNegative);
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
  visitor.enumeration("rejection_mode", config.rejection_mode, {"none", "geometric", "k1", "k3"},
                      "Leave out sequences that are too far from the sampler, by their mean log-ratio l policy / sampler: exp(l), |l|, or "
                      "the mean k3 estimate of the KL.");
  visitor.field("rejection_max", config.rejection_max, "Largest such value: a ratio for geometric (about 1.001), else nats per token.",
                kPositive);
  visitor.field("rejection_min", config.rejection_min, "geometric: smallest ratio; null: no bound.", kNonNegative);
}

}  // namespace

void describe(ConfigVisitor& visitor, AdvantageConfig& config) {
  visitor.part("advantage_estimator", config.advantage_estimator, "advantage estimator",
               "How rewards become advantages: one of those below, or of your own.");
  visitor.options("advantage_options", config.advantage_options, "The options of an advantage_estimator of your own.");
  visitor.enumeration(
      "scale_rewards", config.scale_rewards, {"group", "batch", "none"},
      "group, pass_at_k, process_supervision: divide advantages by the standard deviation of the group, of the batch, or by "
      "nothing.");
  visitor.enumeration("multi_objective_aggregation", config.multi_objective_aggregation, {"sum_then_normalize", "normalize_then_sum"},
                      "How several reward functions become one advantage.");
  visitor.field("reward_weights", config.reward_weights,
                "Weight of each reward function in the sum, in their order; empty: reward[].weight, which is the same thing.");
  visitor.field("normalize_advantages", config.normalize_advantages, "rloo: divide advantages by their deviation over the batch.");
  visitor.field("reward_clip_range", config.reward_clip_range, "Lowest and highest weighted sum of rewards; empty: no bounds.");
  visitor.field("pass_k", config.pass_k, "pass_at_k: the k; fewer than num_generations.", {.min = 1.0});
}

void describe(ConfigVisitor& visitor, LossConfig& config) {
  describe_policy_term(visitor, config);
  describe_kl(visitor, config);
  describe_entropy(visitor, config);
  describe_sampler(visitor, config);
}

namespace {

void check_policy_term(Faults& faults, const LossConfig& config) {
  const Surrogate surrogate = loss_row(config.loss_type).surrogate;
  faults.refuse(surrogate == Surrogate::kCispo && !config.epsilon_high,
                "expected epsilon_high with loss_type cispo (the cap on the ratio itself, about 5); got none");
  faults.refuse(config.delta && surrogate != Surrogate::kClip,
                "expected delta only with a clipped loss_type; got it with cispo, sapo, vespo, gmpo, reinforce, clip_cov or kl_cov");
  const bool own_ratio = surrogate == Surrogate::kGmpo || surrogate == Surrogate::kReinforce || needs_covariance(surrogate);
  faults.refuse(own_ratio && config.importance_sampling_level != ImportanceSamplingLevel::kToken,
                "expected importance_sampling_level token with loss_type gmpo, reinforce, clip_cov and kl_cov; got another");
  faults.refuse(!config.custom_loss.empty() && surrogate != Surrogate::kClip,
                "expected custom_loss with a loss_type of the clipped family, whose weights of tokens it takes; got another");
  faults.refuse(config.custom_loss.empty() && !config.custom_loss_options.empty(),
                "expected custom_loss, as its options are given; got none");
  faults.refuse(config.clip_cov_min >= config.clip_cov_max, "expected clip_cov_min < clip_cov_max; got the contrary");
}

void check_kl(Faults& faults, const LossConfig& config) {
  faults.refuse(config.use_adaptive_kl && config.beta == 0.0, "expected beta above 0 with use_adaptive_kl, which multiplies it; got 0");
  if (config.beta == 0.0) return;
  if (config.use_kl_in_reward) {
    faults.refuse(config.kl_estimator != KlEstimator::kK1,
                  "expected kl_estimator k1 with use_kl_in_reward, where only its gradient is that of the KL; got another");
    return;
  }
  faults.refuse(config.kl_estimator == KlEstimator::kK1 && !config.use_bias_correction_kl,
                "expected another kl_estimator, use_bias_correction_kl or use_kl_in_reward; got plain k1, whose expected gradient is zero");
  faults.refuse(
      !takes_bias_correction(config.kl_estimator) && config.use_bias_correction_kl,
      "expected use_bias_correction_kl off with kl_estimator k2, abs, k1+ and k3+, whose gradients are right without it; got it on");
}

void check_sampler(Faults& faults, const LossConfig& config) {
  const auto crossed = [](const std::optional<double>& low, const std::optional<double>& high) { return low && high && *low >= *high; };
  faults.refuse(crossed(config.importance_sampling_clip_min, config.importance_sampling_clip_max),
                "expected importance_sampling_clip_min < importance_sampling_clip_max; got the contrary");
  const bool rejects = config.rejection_mode != RejectionMode::kNone;
  faults.refuse(rejects != config.rejection_max.has_value(), "expected rejection_mode and rejection_max together; got one of them");
  faults.refuse(config.rejection_min && config.rejection_mode != RejectionMode::kGeometric,
                "expected rejection_min only with rejection_mode geometric; got it with another");
  faults.refuse(crossed(config.rejection_min, config.rejection_max), "expected rejection_min < rejection_max; got the contrary");
}

}  // namespace

void validate(const LossConfig& config) {
  Faults faults;
  check_policy_term(faults, config);
  check_kl(faults, config);
  check_sampler(faults, config);
  faults.refuse(
      config.use_adaptive_entropy && !(config.entropy_coef_min <= config.entropy_coef && config.entropy_coef <= config.entropy_coef_max),
      "expected entropy_coef_min <= entropy_coef <= entropy_coef_max; got a start value outside");
  faults.raise("LossConfig");
}

void validate(const AdvantageConfig& config) {
  Faults faults;
  const std::string& estimator = config.advantage_estimator;
  const bool then_sum = config.multi_objective_aggregation == RewardAggregation::kNormalizeThenSum;
  faults.refuse(then_sum && estimator != "group",
                "expected multi_objective_aggregation normalize_then_sum only with advantage_estimator group; got another");
  faults.refuse(config.normalize_advantages && estimator != "rloo",
                "expected normalize_advantages only with advantage_estimator rloo; got another");
  faults.refuse(estimator == "pass_at_k" && config.scale_rewards == ScaleRewards::kBatch,
                "expected scale_rewards group or none with advantage_estimator pass_at_k; got batch");
  faults.refuse(config.pass_k < 1, "expected pass_k of 1 or more; got less");
  const auto& range = config.reward_clip_range;
  faults.refuse(!range.empty() && (range.size() != 2 || range[0] >= range[1]), "expected reward_clip_range [low, high]; got other numbers");
  faults.refuse(!range.empty() && (then_sum || estimator == "process_supervision"),
                "expected no reward_clip_range with normalize_then_sum and process_supervision, which know no sum of rewards; got one");
  faults.raise("AdvantageConfig");
}

void validate(const LossConfig& loss, const AdvantageConfig& advantage) {
  Faults faults;
  faults.refuse(loss.beta != 0.0 && loss.use_kl_in_reward &&
                    (advantage.multi_objective_aggregation == RewardAggregation::kNormalizeThenSum ||
                     advantage.advantage_estimator == "process_supervision"),
                "expected the KL in the loss with normalize_then_sum and process_supervision, which know no sum of rewards; got it in the "
                "reward");
  faults.raise("algorithm");
}

}  // namespace grpo
