#include <algorithm>
#include <cmath>
#include <numbers>

#include "grpo/model/config.h"

namespace grpo {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

/// Llama 3: long wavelengths are stretched by `factor`, short ones kept, those between blended.
double llama3_frequency(double frequency, const RopeConfig& r) {
  const double ratio = static_cast<double>(r.original_max_position_embeddings) * frequency / kTwoPi;  // context over wavelength
  const double smooth = std::clamp((ratio - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor), 0.0, 1.0);
  return frequency * ((1.0 - smooth) / r.factor + smooth);
}

/// YaRN (Peng et al., 2309.00071): interpolate dimensions that turn seldom, keep those that turn often.
double yarn_frequency(double frequency, int64_t pair, int64_t head_dim, const RopeConfig& r) {
  const auto dim = static_cast<double>(head_dim);
  const auto correction = [&](double rotations) {
    return dim * std::log(static_cast<double>(r.original_max_position_embeddings) / (rotations * kTwoPi)) / (2.0 * std::log(r.theta));
  };
  const double low = std::max(std::floor(correction(r.beta_fast)), 0.0);
  double high = std::min(std::ceil(correction(r.beta_slow)), dim - 1.0);
  if (high == low) high += 0.001;
  const double ramp = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
  return frequency / r.factor * ramp + frequency * (1.0 - ramp);
}

double pair_frequency(const ModelConfig& config, int64_t pair) {
  const RopeConfig& r = config.rope;
  const double frequency = 1.0 / std::pow(r.theta, 2.0 * static_cast<double>(pair) / static_cast<double>(config.head_dim));
  switch (r.type) {
    case RopeConfig::Type::kDefault:
      return frequency;
    case RopeConfig::Type::kLinear:
      return frequency / r.factor;
    case RopeConfig::Type::kLlama3:
      return llama3_frequency(frequency, r);
    case RopeConfig::Type::kYarn:
      return yarn_frequency(frequency, pair, config.head_dim, r);
  }
  return frequency;
}

}  // namespace

RopeTable make_rope_table(const ModelConfig& config, int64_t positions) {
  RopeTable table{.positions = positions, .pairs = config.head_dim / 2, .cos = {}, .sin = {}};
  const auto size = static_cast<size_t>(table.positions * table.pairs);
  table.cos.resize(size);
  table.sin.resize(size);
  for (int64_t pair = 0; pair < table.pairs; ++pair) {
    const auto frequency = static_cast<float>(pair_frequency(config, pair));  // float32, as checkpoints were trained
    for (int64_t position = 0; position < positions; ++position) {
      const double angle = static_cast<float>(position) * frequency;
      const auto at = static_cast<size_t>(position * table.pairs + pair);
      table.cos[at] = static_cast<float>(std::cos(angle) * config.rope.attention_factor);
      table.sin[at] = static_cast<float>(std::sin(angle) * config.rope.attention_factor);
    }
  }
  return table;
}

}  // namespace grpo
