#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "decode.h"
#include "dispatch.h"

namespace grpo::kernels {

using Floats = std::vector<float>;

class DecodeTest : public ::testing::TestWithParam<CpuKernels> {
 protected:
  DecodeTest() : seed_(std::random_device{}()), random_(seed_) {}
  const DecodeKernels& table() const { return *GetParam().decode; }
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  Floats normals(int64_t count, float spread = 1.0F) {
    std::normal_distribution<float> normal(0.0F, spread);
    Floats values(static_cast<size_t>(count));
    for (float& value : values) value = normal(random_);
    return values;
  }

  uint32_t seed_;
  std::mt19937_64 random_;
};

/// bf16 to nearest even, by the definition.
inline float nearest_bfloat16(float x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, exponent - 8);
  return static_cast<float>(std::nearbyint(x / unit) * unit);
}

}  // namespace grpo::kernels
