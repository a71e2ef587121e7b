#pragma once

#include <limits>

#include "grpo/algorithm/config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// Steers the entropy bonus towards a target (Skywork-OR1, arXiv 2505.22312): the bonus is paid only after a step whose entropy was at or
/// below the target, and the coefficient rises or falls by a fixed amount after each step.
class AdaptiveEntropy {
 public:
  /// What a checkpoint keeps.
  struct State {
    double coefficient = 0;
    double last_entropy = std::numeric_limits<double>::infinity();  // nats per token of the last step; infinite before the first
  };

  /// Reads entropy_coef as the start value, and the entropy_… options.
  explicit AdaptiveEntropy(const LossConfig& config);

  /// The coefficient of the coming step's loss.
  double applied() const;
  /// Ends a step, `entropy` = its mean entropy per token in nats, over all ranks.
  void update(double entropy);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  double min_, max_, delta_, target_;
  State state_;
};

}  // namespace grpo
