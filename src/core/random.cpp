#include "grpo/core/random.h"

#include <cmath>
#include <numbers>
#include <string>

#include "grpo/core/error.h"

namespace grpo {
namespace {

uint32_t low_word(uint64_t value) { return static_cast<uint32_t>(value); }
uint32_t high_word(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

// Multipliers and Weyl increments of the Philox paper.
constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high_word(product1) ^ counter[1] ^ key[0], low_word(product1), high_word(product0) ^ counter[3] ^ key[1],
               low_word(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

std::array<uint32_t, 4> sample_stream(const SampleKey& key) {
  return philox4x32({low_word(key.problem), high_word(key.problem), low_word(key.step), high_word(key.step)},
                    {low_word(key.seed), high_word(key.seed)});
}

float sample_uniform(const SampleKey& key, uint32_t position) {
  const auto stream = sample_stream(key);
  const uint32_t word = philox4x32({position, key.sample, stream[0], stream[1]}, {stream[2], stream[3]})[0];
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

Random::Random(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

uint32_t Random::next_u32() {
  if (used_ == 4) {
    block_ =
        philox4x32({low_word(counter_), high_word(counter_), low_word(stream_), high_word(stream_)}, {low_word(seed_), high_word(seed_)});
    ++counter_;
    used_ = 0;
  }
  return block_[static_cast<size_t>(used_++)];
}

uint64_t Random::next_u64() {
  const uint64_t low = next_u32();
  return low | (uint64_t{next_u32()} << 32);
}

int64_t Random::uniform_int(int64_t low, int64_t high) {
  GRPO_CHECK(low <= high, "Random::uniform_int", "expected low <= high; got " + std::to_string(low) + " and " + std::to_string(high));
  const uint64_t count = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;  // 0 stands for 2^64
  uint64_t draw = next_u64();
  if (count != 0) {
    const uint64_t remainder = (0 - count) % count;  // 2^64 mod count: draws below it would favour small results
    while (draw < remainder) draw = next_u64();
    draw %= count;
  }
  return static_cast<int64_t>(static_cast<uint64_t>(low) + draw);
}

double Random::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - u lies in (0, 1]
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace grpo
