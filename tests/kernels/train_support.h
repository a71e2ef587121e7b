#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "dispatch.h"
#include "train.h"

namespace grpo::kernels {

using Floats = std::vector<float>;

inline unsigned seed() {
  static const unsigned drawn = std::random_device{}();
  return drawn;
}

inline std::mt19937& generator() {
  static std::mt19937 engine(seed());
  return engine;
}

inline int64_t between(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator()); }

inline Floats randoms(int64_t count, float scale = 1.0F) {
  std::normal_distribution<float> normal(0.0F, scale);
  Floats values(static_cast<size_t>(count));
  for (auto& v : values) v = normal(generator());
  return values;
}

inline void expect_near(const Floats& got, const std::vector<double>& expected, double tolerance, const char* what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance * (1.0 + std::abs(expected[i]))) << what << " element " << i;
}

/// Every test runs on every table of this machine.
class Train : public ::testing::TestWithParam<size_t> {
 protected:
  const TrainKernels& kernels() const { return *available_cpu_kernels()[GetParam()].train; }
};

inline std::string isa_name(const ::testing::TestParamInfo<size_t>& info) { return std::string(available_cpu_kernels()[info.param].isa); }

}  // namespace grpo::kernels
