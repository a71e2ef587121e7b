#pragma once

#include <bit>
#include <cstdint>

// Conversions between binary32 and the 16-bit formats, without branches so that loops over them vectorise, and without binary32 subnormals
// so that a thread that flushes those to zero gets the same values. Rounding is to nearest even.
namespace grpo::half {

/// condition ? yes : no by masks: the compiler would sink a floating-point operation into a branch of the ternary.
inline uint32_t select(bool condition, uint32_t yes, uint32_t no) {
  const uint32_t mask = 0u - static_cast<uint32_t>(condition);
  return (yes & mask) | (no & ~mask);
}

inline float from_f16(uint16_t bits) {
  constexpr uint32_t kExponent = 0x7C00u << 13;
  uint32_t value = (bits & 0x7FFFu) << 13;
  const uint32_t exponent = value & kExponent;
  value += (127u - 15u) << 23;
  const uint32_t special = value + ((128u - 16u) << 23);  // infinity and NaN
  const float smallest_normal = std::bit_cast<float>(113u << 23);
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(value + (1u << 23)) - smallest_normal);
  value = select(exponent == kExponent, special, value);
  value = select(exponent == 0, subnormal, value);
  return std::bit_cast<float>(value | (bits & 0x8000u) << 16);
}

inline uint16_t to_f16(float number) {
  constexpr uint32_t kInfinity = 0xFFu << 23, kOverflow = (127u + 16u) << 23, kSmallestNormal = 113u << 23;
  const uint32_t bits = std::bit_cast<uint32_t>(number);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  // Adding 0.5 leaves the subnormal's mantissa, rounded by the processor, in the lowest bits. Larger inputs give an unused value.
  constexpr uint32_t kHalf = 126u << 23;
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + std::bit_cast<float>(kHalf)) - kHalf;
  const uint32_t odd = (magnitude >> 13) & 1u;
  const uint32_t normal = (magnitude - ((127u - 15u) << 23) + 0xFFFu + odd) >> 13;
  const uint32_t special = select(magnitude > kInfinity, 0x7E00u, 0x7C00u);
  uint32_t result = select(magnitude < kSmallestNormal, subnormal, normal);
  result = select(magnitude >= kOverflow, special, result);
  return static_cast<uint16_t>(result | ((bits >> 16) & 0x8000u));
}

inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t to_bf16(float number) {
  const uint32_t bits = std::bit_cast<uint32_t>(number);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet_nan = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > (0xFFu << 23) ? quiet_nan : rounded);
}

}  // namespace grpo::half
