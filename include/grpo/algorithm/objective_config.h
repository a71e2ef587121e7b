#pragma once

#include <cstdint>
#include <optional>

namespace grpo {

class ConfigVisitor;

/// PPO's critic: generalised advantage estimation and the value loss.
struct GaeConfig {
  double gamma = 1.0;         // discount per token
  double lambda = 1.0;        // of the policy's advantages
  double lambda_value = 1.0;  // of the returns that the critic learns (VAPO, arXiv 2504.05118, decouples the two)
  /// VAPO's length-adaptive lambda of the policy, 1 − 1 / (alpha · T), at least 0, for completions of T tokens; 0.05 in the paper. Unset:
  /// lambda.
  std::optional<double> lambda_length_alpha = std::nullopt;
  bool whiten_advantages = true;                         // over the tokens of the batch
  std::optional<double> cliprange_value = std::nullopt;  // how far a value may move from its old one before its loss stops falling
};
void describe(ConfigVisitor& visitor, GaeConfig& config);

/// How PRIME makes advantages of process rewards and outcomes.
enum class PrimeForm {
  kPaper,       // Eq. 5
  kRepository,  // as its authors' code has it
};

/// PRIME, arXiv 2502.01456.
struct PrimeConfig {
  double prime_beta = 0.05;  // of the implicit reward, beta · (log p − log ref)
  double gamma = 1.0;        // discount per token
  PrimeForm prime_form = PrimeForm::kPaper;
};
void describe(ConfigVisitor& visitor, PrimeConfig& config);

enum class PreferenceLoss { kSigmoid, kIpo };

/// Direct preference optimisation; names and defaults are TRL's where it has them.
struct DpoConfig {
  double dpo_beta = 0.1;
  PreferenceLoss preference_loss = PreferenceLoss::kSigmoid;
  double label_smoothing = 0.0;  // sigmoid: probability that a pair is the wrong way round
};
void describe(ConfigVisitor& visitor, DpoConfig& config);

}  // namespace grpo
