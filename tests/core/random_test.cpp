#include "grpo/core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "grpo/core/error.h"

#if __has_include(<rapidcheck/gtest.h>)
#include <rapidcheck/gtest.h>
#endif

namespace {

using grpo::philox4x32;
using grpo::Random;
using grpo::sample_uniform;
using grpo::SampleKey;
using Words = std::array<uint32_t, 4>;

// Oracle: the known-answer vectors published with Random123 for philox4x32 at ten rounds.
TEST(Philox, PublishedKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Property: flipping any single bit of the 256 bits of key and position changes the number (each of 257 draws differs; chance of a
// false alarm 257²/2²⁵, and the generator is deterministic).
TEST(SampleUniform, EveryBitOfEveryPartMatters) {
  const SampleKey base{.seed = 7, .step = 11, .problem = 13, .sample = 3};
  std::set<float> seen{sample_uniform(base, 5)};
  for (int bit = 0; bit < 64; ++bit) {
    for (uint64_t SampleKey::*part : {&SampleKey::seed, &SampleKey::step, &SampleKey::problem}) {
      SampleKey key = base;
      key.*part ^= uint64_t{1} << bit;
      EXPECT_TRUE(seen.insert(sample_uniform(key, 5)).second) << "bit " << bit;
    }
  }
  for (int bit = 0; bit < 32; ++bit) {
    SampleKey key = base;
    key.sample ^= uint32_t{1} << bit;
    EXPECT_TRUE(seen.insert(sample_uniform(key, 5)).second) << "bit " << bit;
    EXPECT_TRUE(seen.insert(sample_uniform(base, 5 ^ (uint32_t{1} << bit))).second) << "bit " << bit;
  }
}

TEST(SampleUniform, PartsAreNotInterchangeable) {
  EXPECT_NE(sample_uniform({.step = 1}, 0), sample_uniform({.problem = 1}, 0));
  EXPECT_NE(sample_uniform({.sample = 1}, 0), sample_uniform({}, 1));
}

// Oracle: the documented mapping, spelled out with philox4x32.
TEST(SampleUniform, FollowsTheDocumentedMapping) {
  const SampleKey key{.seed = 0x0123456789abcdef, .step = 0x1111222233334444, .problem = 0x5555666677778888, .sample = 9};
  const Words stream = philox4x32({0x77778888, 0x55556666, 0x33334444, 0x11112222}, {0x89abcdef, 0x01234567});
  EXPECT_EQ(grpo::sample_stream(key), stream);
  const uint32_t word = philox4x32({17, 9, stream[0], stream[1]}, {stream[2], stream[3]})[0];
  EXPECT_EQ(sample_uniform(key, 17), static_cast<float>(word >> 8) / 16777216.0F);
}

// Oracle: mean 1/2 and variance 1/12, within five standard errors of 20000 draws.
TEST(SampleUniform, MomentsOfTheUniformDistribution) {
  double sum = 0, squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double value =
        sample_uniform({.seed = 1, .problem = static_cast<uint64_t>(i / 100), .sample = static_cast<uint32_t>(i / 10 % 10)}, i % 10);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    squares += (value - 0.5) * (value - 0.5);
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 12, 5 * std::sqrt(1.0 / 180 / kDraws));
}

TEST(Random, IsPhiloxOverTheBlockNumberAndStream) {
  Random random(0x0000000200000001, 0x0000000400000003);
  for (uint32_t block = 0; block < 3; ++block) {
    for (const uint32_t word : philox4x32({block, 0, 3, 4}, {1, 2})) EXPECT_EQ(random.next_u32(), word);
  }
}

TEST(Random, StreamsDiffer) {
  Random a(1, 0), b(1, 1), c(2, 0);
  const uint64_t first = a.next_u64();
  EXPECT_NE(first, b.next_u64());
  EXPECT_NE(first, c.next_u64());
  EXPECT_EQ(first, Random(1, 0).next_u64());
}

TEST(Random, UniformIntCoversItsRangeEvenly) {
  Random random(3);
  std::vector<int> counts(7, 0);
  constexpr int kDraws = 7000;
  for (int i = 0; i < kDraws; ++i) {
    const int64_t value = random.uniform_int(-3, 3);
    ASSERT_GE(value, -3);
    ASSERT_LE(value, 3);
    ++counts[static_cast<size_t>(value + 3)];
  }
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 7, 5 * std::sqrt(kDraws * 6.0 / 49));
}

TEST(Random, UniformIntAtItsLimits) {
  Random random(4);
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(random.uniform_int(kMin, kMin), kMin);
  EXPECT_EQ(random.uniform_int(kMax, kMax), kMax);
  bool negative = false, positive = false;
  for (int i = 0; i < 64; ++i) (random.uniform_int(kMin, kMax) < 0 ? negative : positive) = true;
  EXPECT_TRUE(negative && positive);
  EXPECT_THROW(random.uniform_int(1, 0), grpo::Error);
}

#if __has_include(<rapidcheck/gtest.h>)
// Property: results lie in the range, whatever it is.
RC_GTEST_PROP(Random, UniformIntStaysInItsRange, ()) {
  const auto bounds = std::minmax({*rc::gen::arbitrary<int64_t>(), *rc::gen::arbitrary<int64_t>()});
  Random random(*rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>());
  for (int i = 0; i < 10; ++i) {
    const int64_t value = random.uniform_int(bounds.first, bounds.second);
    RC_ASSERT(bounds.first <= value && value <= bounds.second);
  }
}
#endif

// Oracle: mean 0, variance 1, fourth moment 3, within five standard errors.
TEST(Random, NormalMoments) {
  Random random(5);
  constexpr int kDraws = 20000;
  double sum = 0, squares = 0, fourths = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    fourths += value * value * value * value;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourths / kDraws, 3.0, 5 * std::sqrt(96.0 / kDraws));
}

}  // namespace
