#include "grpo/data/weighted_sum.h"

#include <cmath>

namespace grpo {

double weighted_sum(std::span<const double> values, std::span<const double> weights) {
  double sum = std::nan("");
  for (size_t f = 0; f < values.size(); ++f) {
    if (std::isnan(values[f]) || weights[f] == 0.0) continue;
    sum = (std::isnan(sum) ? 0.0 : sum) + weights[f] * values[f];
  }
  return sum;
}

}  // namespace grpo
