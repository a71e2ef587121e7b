#include "grpo/io/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "io/temp_folder.h"

namespace grpo {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A 16-bit floating-point format, decoded by its definition: the oracle.
struct Format {
  DType dtype;
  int mantissa_bits;
  int bias;

  double decode(uint32_t bits) const {
    const int mantissa = static_cast<int>(bits & ((1u << mantissa_bits) - 1));
    const int exponent = static_cast<int>((bits & 0x7FFFu) >> mantissa_bits);
    const int max_exponent = (1 << (15 - mantissa_bits)) - 1;
    double magnitude;
    if (exponent == max_exponent) {
      magnitude = mantissa != 0 ? std::nan("") : static_cast<double>(kInfinity);
    } else if (exponent == 0) {
      magnitude = std::ldexp(mantissa, 1 - bias - mantissa_bits);
    } else {
      magnitude = std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
    }
    return (bits & 0x8000u) != 0 ? -magnitude : magnitude;
  }
  uint32_t infinity() const { return 0x7FFFu >> mantissa_bits << mantissa_bits; }
};

class HalfFormat : public ::testing::TestWithParam<Format> {
 protected:
  uint16_t encode(float value) const {
    uint16_t bits;
    convert_from_float(&value, GetParam().dtype, &bits, 1);
    return bits;
  }
};

// Oracle: the definition of the format, for all 65,536 values.
TEST_P(HalfFormat, DecodesEveryValue) {
  std::vector<uint16_t> bits(1 << 16);
  std::iota(bits.begin(), bits.end(), uint16_t{0});
  std::vector<float> values(bits.size());
  convert_to_float(bits.data(), GetParam().dtype, values.data(), static_cast<int64_t>(bits.size()));
  for (size_t i = 0; i < bits.size(); ++i) {
    const double expected = GetParam().decode(bits[i]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(values[i])) << i;
    } else {
      ASSERT_EQ(values[i], expected) << i;
      ASSERT_EQ(std::signbit(values[i]), std::signbit(expected)) << i;
    }
  }
}

// Property: encoding inverts decoding, and NaN stays NaN.
TEST_P(HalfFormat, RoundTripsEveryValue) {
  for (uint32_t bits = 0; bits < 1 << 16; ++bits) {
    const double value = GetParam().decode(bits);
    const uint16_t encoded = encode(static_cast<float>(value));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(GetParam().decode(encoded))) << bits;
    } else {
      ASSERT_EQ(encoded, bits);
    }
  }
}

// Exact enumeration: between each two neighbours the middle goes to the even one and the floats beside the middle to the nearer one.
TEST_P(HalfFormat, RoundsToNearestEvenBetweenAllNeighbours) {
  const uint32_t infinity = GetParam().infinity();
  for (uint32_t low = 0; low < infinity; ++low) {
    const bool last = low + 1 == infinity;  // the middle to what would be the next value
    const double next = last ? 2 * GetParam().decode(low) - GetParam().decode(low - 1) : GetParam().decode(low + 1);
    const auto middle = static_cast<float>((GetParam().decode(low) + next) / 2);
    const uint32_t even = low % 2 == 0 ? low : low + 1;
    ASSERT_EQ(encode(middle), even) << low;
    ASSERT_EQ(encode(std::nextafter(middle, 0.0f)), low) << low;
    ASSERT_EQ(encode(std::nextafter(middle, kInfinity)), low + 1) << low;
    ASSERT_EQ(encode(-middle), even | 0x8000u) << low;
  }
}

// Hand values: far beyond the range, and NaNs with any payload.
TEST_P(HalfFormat, KeepsSpecialValues) {
  EXPECT_EQ(encode(std::numeric_limits<float>::max()), GetParam().infinity());
  EXPECT_EQ(encode(-kInfinity), GetParam().infinity() | 0x8000u);
  for (const uint32_t payload : {0x7F800001u, 0x7FC00000u, 0x7FFFFFFFu, 0xFF800001u, 0xFFFFFFFFu}) {
    EXPECT_TRUE(std::isnan(GetParam().decode(encode(std::bit_cast<float>(payload))))) << payload;
  }
}

INSTANTIATE_TEST_SUITE_P(DType, HalfFormat, ::testing::Values(Format{DType::kF16, 10, 15}, Format{DType::kBF16, 7, 127}),
                         [](const auto& instance) { return std::string(to_string(instance.param.dtype)); });

// Hand values: ties of binary64 to binary32.
TEST(DType, RoundsDoublesToNearestEven) {
  const double source[] = {1 + std::ldexp(1, -24), 1 + 3 * std::ldexp(1, -24), 1e300, -1e-300, 0.1};
  float target[5];
  convert_to_float(source, DType::kF64, target, 5);
  const float expected[] = {1.0f, 1 + std::ldexp(1.0f, -22), kInfinity, -0.0f, 0.1f};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(target[i], expected[i]) << i;
}

// Property: block boundaries and unaligned memory change nothing, and nothing beyond the end is written.
TEST(DType, ConvertsAnyLengthAtAnyAddress) {
  for (const int64_t count : {0, 1, 255, 256, 257, 1000}) {
    const auto size = static_cast<size_t>(count);
    std::vector<float> values(size);
    for (size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i) * 0.25f - 30.0f;
    std::vector<unsigned char> bytes(2 * size + 2, 0xA5);
    convert_from_float(values.data(), DType::kF16, bytes.data() + 1, count);
    EXPECT_EQ(bytes.back(), 0xA5);
    std::vector<float> back(size + 1, -1.0f);
    convert_to_float(bytes.data() + 1, DType::kF16, back.data(), count);
    EXPECT_EQ(back.back(), -1.0f);
    back.pop_back();
    EXPECT_EQ(back, values);
  }
}

// Hand values: the format's table.
TEST(DType, NamesAndSizes) {
  const std::vector<std::pair<std::string, int64_t>> table = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
                                                              {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                                                              {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
  for (const auto& [name, size] : table) {
    EXPECT_EQ(to_string(parse_dtype(name)), name);
    EXPECT_EQ(size_of(parse_dtype(name)), size);
  }
  GRPO_EXPECT_ERROR(parse_dtype("F8_E8M0"), "got \"F8_E8M0\"");
  GRPO_EXPECT_ERROR(size_of(static_cast<DType>(200)), "got 200");
}

TEST(DType, RefusesOtherTypes) {
  int32_t source = 1;
  float value = 1;
  double target = 0;
  GRPO_EXPECT_ERROR(convert_to_float(&source, DType::kI32, &value, 1), "got I32");
  GRPO_EXPECT_ERROR(convert_from_float(&value, DType::kF64, &target, 1), "got F64");
}

}  // namespace
}  // namespace grpo
