#include "grpo/core/nearest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using grpo::did_you_mean;
const std::vector<std::string> kNames{"learning_rate", "beta", "epsilon", "epsilon_high", "seed"};

// Oracle: hand-chosen misspellings.
TEST(Nearest, FindsTheNearestName) {
  EXPECT_EQ(did_you_mean("learing_rate", kNames), " (did you mean 'learning_rate'?)");
  EXPECT_EQ(did_you_mean("Learning-Rate", kNames), " (did you mean 'learning_rate'?)");
  EXPECT_EQ(did_you_mean("btea", kNames), " (did you mean 'beta'?)");
  EXPECT_EQ(did_you_mean("epsilonhigh", kNames), " (did you mean 'epsilon_high'?)");
  EXPECT_EQ(did_you_mean("epsilom", kNames), " (did you mean 'epsilon'?)");
}

TEST(Nearest, IsSilentWhereNothingIsNear) {
  EXPECT_EQ(did_you_mean("temperature", kNames), "");
  EXPECT_EQ(did_you_mean("", kNames), "");
  EXPECT_EQ(did_you_mean("beta", {}), "");
  EXPECT_EQ(did_you_mean(std::string(1 << 20, 'x'), kNames), "");
}

}  // namespace
