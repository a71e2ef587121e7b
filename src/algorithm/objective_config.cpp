#include "grpo/algorithm/objective_config.h"

#include "grpo/core/config.h"

namespace grpo {

void describe(ConfigVisitor& visitor, GaeConfig& config) {
  visitor.field("gamma", config.gamma, "Discount per token.", kFraction);
  visitor.field("lambda", config.lambda, "GAE's lambda of the policy's advantages.", kFraction);
  visitor.field("lambda_value", config.lambda_value, "GAE's lambda of the critic's returns (VAPO, arXiv 2504.05118, decouples the two).",
                kFraction);
  visitor.field("lambda_length_alpha", config.lambda_length_alpha,
                "The policy's lambda is 1 - 1 / (this * tokens of the completion), at least 0 (VAPO: 0.05); null: lambda.", kPositive);
  visitor.field("whiten_advantages", config.whiten_advantages, "Subtract the mean and divide by the deviation over the batch's tokens.");
  visitor.field("cliprange_value", config.cliprange_value,
                "How far a value may move from its old one before its loss stops falling; null: no bound.", kPositive);
}

void describe(ConfigVisitor& visitor, PrimeConfig& config) {
  visitor.field("prime_beta", config.prime_beta, "Factor of the implicit reward, log p - log ref.", kPositive);
  visitor.field("gamma", config.gamma, "Discount per token.", kFraction);
  visitor.enumeration("prime_form", config.prime_form, {"paper", "repository"},
                      "Advantages by Eq. 5 of the paper, or as its authors' code has them.");
}

void describe(ConfigVisitor& visitor, DpoConfig& config) {
  visitor.field("dpo_beta", config.dpo_beta, "Strength of the pull to the reference policy.", kPositive);
  visitor.enumeration("preference_loss", config.preference_loss, {"sigmoid", "ipo"}, "The loss of a pair: DPO's or IPO's.");
  visitor.field("label_smoothing", config.label_smoothing, "sigmoid: probability that a pair is the wrong way round.",
                {.min = 0.0, .max = 0.5});
}

}  // namespace grpo
