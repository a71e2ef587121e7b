#include "grpo/algorithm/adaptive_kl.h"

#include <algorithm>
#include <cmath>

namespace grpo {

void AdaptiveKl::update(double kl, double sequences) {
  constexpr double kLargestError = 0.2;
  if (std::isnan(kl)) return;
  const double error = std::clamp(kl / target_ - 1, -kLargestError, kLargestError);
  beta_ *= 1 + error * std::min(sequences / horizon_, 1.0);  // a step of more sequences than the horizon counts as one of as many
}

}  // namespace grpo
