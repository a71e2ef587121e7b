#pragma once

#include <cstdint>
#include <optional>

#include "grpo/api.h"

namespace GRPO_API grpo {

class ConfigVisitor;

/// PPO's critic: generalised advantage estimation and the value loss.
struct GaeConfig {
  double gamma = 1.0;
  double lambda = 1.0;
  double lambda_value = 1.0;
  std::optional<double> lambda_length_alpha = std::nullopt;
  bool whiten_advantages = true;
  std::optional<double> cliprange_value = std::nullopt;
};
void describe(ConfigVisitor& visitor, GaeConfig& config);

/// How PRIME makes advantages of process rewards and outcomes.
enum class PrimeForm {
  kPaper,       // Eq. 5
  kRepository,  // as its authors' code has it
};

/// PRIME, arXiv 2502.01456.
struct PrimeConfig {
  double prime_beta = 0.05;
  double gamma = 1.0;
  PrimeForm prime_form = PrimeForm::kPaper;
};
void describe(ConfigVisitor& visitor, PrimeConfig& config);

enum class PreferenceLoss { kSigmoid, kIpo };

/// Direct preference optimisation; names and defaults are TRL's where TRL has the option.
struct DpoConfig {
  double dpo_beta = 0.1;
  PreferenceLoss preference_loss = PreferenceLoss::kSigmoid;
  double label_smoothing = 0.0;
};
void describe(ConfigVisitor& visitor, DpoConfig& config);

}  // namespace grpo
