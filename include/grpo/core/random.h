#pragma once

#include <array>
#include <cstdint>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based generator.
/// The same counter and key give the same four words on every device, whatever was drawn before.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// What a sampled token's randomness depends on: never on slots, batches, threads or ranks.
struct SampleKey {
  uint64_t seed = 0;     // of the run
  uint64_t step = 0;     // rollout number within the run
  uint64_t problem = 0;  // index of the problem within the data
  uint32_t sample = 0;   // number within the problem's group
};

/// Philox(counter = (problem, step), key = seed), each low word first: equal for all samples and positions of a problem, so an engine
/// may keep it beside a slot. For one seed it is a bijection of (step, problem).
std::array<uint32_t, 4> sample_stream(const SampleKey& key);

/// Uniform in [0, 1) with 24 bits, for the token at `position` (0 = first sampled token) of the sample that `key` names: with
/// s = sample_stream(key), the top 24 bits of word 0 of Philox(counter = (position, sample, s[0], s[1]), key = (s[2], s[3])).
/// The two passes take in all 256 bits of the key and the position, none cut off.
float sample_uniform(const SampleKey& key, uint32_t position);

/// A small sequential generator over Philox for shuffles, task generation and initialisation.
class Random {
 public:
  /// Streams with different (seed, stream) are independent.
  explicit Random(uint64_t seed, uint64_t stream = 0);
  uint32_t next_u32();
  uint64_t next_u64();
  /// Uniform integer in [low, high], both included.
  int64_t uniform_int(int64_t low, int64_t high);
  /// Uniform in [0, 1) with 53 bits.
  double uniform();
  /// Standard normal (Box–Muller).
  double normal();

 private:
  uint64_t seed_, stream_, counter_ = 0;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace grpo
