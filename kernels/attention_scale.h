#pragma once

#include <cmath>
#include <cstdint>

namespace grpo::kernels {

/// What attention multiplies its scores by: 1 / sqrt(head_dim), rounded to float32 once. Training and sampling both take it from here:
/// computed in float32 throughout, it would differ in its last bit for 24, 72, 96 and many others.
inline float attention_scale(int64_t head_dim) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }

}  // namespace grpo::kernels
