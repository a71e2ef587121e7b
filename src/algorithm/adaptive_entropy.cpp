#include "grpo/algorithm/adaptive_entropy.h"

#include <algorithm>

namespace grpo {

AdaptiveEntropy::AdaptiveEntropy(const LossConfig& config)
    : min_(config.entropy_coef_min), max_(config.entropy_coef_max), delta_(config.entropy_coef_delta), target_(config.entropy_target) {
  state_.coefficient = config.entropy_coef;
}

double AdaptiveEntropy::applied() const { return state_.last_entropy <= target_ ? state_.coefficient : 0.0; }

void AdaptiveEntropy::update(double entropy) {
  const double change = entropy <= target_ ? delta_ : -delta_;
  state_ = {.coefficient = std::clamp(state_.coefficient + change, min_, max_), .last_entropy = entropy};
}

}  // namespace grpo
