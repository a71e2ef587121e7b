#pragma once

#include "grpo/algorithm/config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// Steers beta so that the KL to the reference stays near a target (Ziegler et al., arXiv 1909.08593, 2.2): after a step of n sequences,
/// beta ← beta · (1 + clip(KL / target − 1, ±0.2) · min(n / horizon, 1)). The bound keeps beta above 0 even if a step has more
/// sequences than the horizon.
class AdaptiveKl {
 public:
  /// Reads beta as the start value, kl_target and kl_horizon.
  explicit AdaptiveKl(const LossConfig& config) : target_(config.kl_target), horizon_(config.kl_horizon), beta_(config.beta) {}

  /// The coefficient of the coming step: all that a checkpoint keeps.
  double beta() const { return beta_; }
  void restore(double beta) { beta_ = beta; }

  /// Ends a step of `sequences` sequences whose mean KL was `kl` nats per token, over all ranks. A KL that is not a number changes nothing.
  void update(double kl, double sequences);

 private:
  double target_, horizon_, beta_;
};

}  // namespace grpo
