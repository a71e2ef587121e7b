#pragma once

#include <cstddef>
#include <span>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// The reward of a completion: the sum of weight · value over the reward functions that gave a verdict. A value that is NaN is no verdict,
/// and a function of weight 0 is only reported: if no other function gave a verdict, the reward is NaN.
double weighted_sum(std::span<const double> values, std::span<const double> weights);

}  // namespace grpo
