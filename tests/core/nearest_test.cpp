#include "grpo/core/nearest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#if __has_include(<rapidcheck/gtest.h>)
#include <rapidcheck/gtest.h>
#endif

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

#if __has_include(<rapidcheck/gtest.h>)
// Property: an option's name with one character inserted, dropped or replaced brings that option back.
RC_GTEST_PROP(Nearest, OneEditIsForgiven, ()) {
  const std::string name = *rc::gen::elementOf(kNames);
  std::string typed = name;
  const auto at = *rc::gen::inRange<size_t>(0, name.size());
  const char letter = *rc::gen::inRange('a', static_cast<char>('z' + 1));
  switch (*rc::gen::inRange(0, 3)) {
    case 0:
      typed.insert(at, 1, letter);
      break;
    case 1:
      typed.erase(at, 1);
      break;
    default:
      typed[at] = letter;
  }
  RC_ASSERT(did_you_mean(typed, kNames) == " (did you mean '" + name + "'?)");
}
#endif

}  // namespace
