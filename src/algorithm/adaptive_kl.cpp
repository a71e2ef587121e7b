#include "grpo/algorithm/adaptive_kl.h"

#include <algorithm>
#include <cmath>

namespace grpo {

void AdaptiveKl::update(double kl, double sequences) {
  constexpr double kLargestError = 0.2;
  if (std::isnan(kl)) return;
  const double error = std::clamp(kl / target_ - 1, -kLargestError, kLargestError);
  beta_ *= std::max(0.0, 1 + error * sequences / horizon_);  // a step of more sequences than five horizons would turn the sign
}

}  // namespace grpo
