#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "grpo/io/gguf.h"
#include "io/temp_folder.h"
#include "support/parity.h"

namespace grpo {
namespace {

using testing::read_json;
using Bytes = std::vector<uint8_t>;

std::vector<float> dequantized(const GgufTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.numel()));
  dequantize(tensor, values);
  return values;
}

GgufTensor tensor_over(GgufType type, std::vector<int64_t> shape, const Bytes& bytes) {
  return {"t", type, std::move(shape), 0, std::as_bytes(std::span(bytes))};
}

/// A positive binary16 by its definition; scales of the tests are normal numbers.
double half_at(const Bytes& bytes, size_t offset) {
  const int bits = bytes[offset] | bytes[offset + 1] << 8;
  return std::ldexp(1024 + (bits & 1023), (bits >> 10) - 25);
}

/// Bit `index` of the little-endian bit string that starts at `offset`.
int bit_at(const Bytes& bytes, size_t offset, size_t index) { return bytes[offset + index / 8] >> (index % 8) & 1; }

/// `width` bits from bit `index` on.
int bits_at(const Bytes& bytes, size_t offset, size_t index, int width) {
  int value = 0;
  for (int i = 0; i < width; ++i) value |= bit_at(bytes, offset, index + static_cast<size_t>(i)) << i;
  return value;
}

/// Value `i` of one Q4_K block, straight from the layout: d, dmin, 12 bytes of 6-bit scales and minimums, 128 bytes of nibbles.
double q4_k_value(const Bytes& block, size_t i) {
  const size_t group = i / 32, pair = group / 2, lane = i % 32;
  const int quant = bits_at(block, 16, (32 * pair + lane) * 8 + 4 * (group % 2), 4);
  int scale, minimum;
  if (group < 4) {
    scale = bits_at(block, 4, 8 * group, 6);
    minimum = bits_at(block, 4, 8 * (group + 4), 6);
  } else {
    scale = bits_at(block, 4, 8 * (group + 4), 4) + 16 * bits_at(block, 4, 8 * (group - 4) + 6, 2);
    minimum = bits_at(block, 4, 8 * (group + 4) + 4, 4) + 16 * bits_at(block, 4, 8 * group + 6, 2);
  }
  return half_at(block, 0) * scale * quant - half_at(block, 2) * minimum;
}

/// Value `i` of one Q5_K block: d, dmin and scales as in Q4_K, 32 bytes of fifth bits, 128 bytes of nibbles.
double q5_k_value(const Bytes& block, size_t i) {
  Bytes nibbles(block.begin(), block.begin() + 16), ones = nibbles;
  nibbles.insert(nibbles.end(), block.begin() + 48, block.end());
  ones.resize(nibbles.size(), 0x11);
  Bytes zeros = ones;
  std::fill(zeros.begin() + 16, zeros.end(), uint8_t{0});
  const double scale = q4_k_value(ones, i) - q4_k_value(zeros, i);
  return q4_k_value(nibbles, i) + 16 * bit_at(block, 16, i % 32 * 8 + i / 32) * scale;
}

/// Value `i` of one Q2_K block: 16 bytes of scale and minimum, 64 bytes of pairs of bits, d, dmin.
double q2_k_value(const Bytes& block, size_t i) {
  const size_t half = i / 128, run = i % 128 / 32, lane = i % 32;
  const int quant = bits_at(block, 16, (32 * half + lane) * 8 + 2 * run, 2);
  return half_at(block, 80) * bits_at(block, 0, i / 16 * 8, 4) * quant - half_at(block, 82) * bits_at(block, 0, i / 16 * 8 + 4, 4);
}

/// Value `i` of one Q3_K block: 32 bytes of third bits (clear: 4 less), 64 bytes of pairs of bits, 12 bytes of 6-bit scales, d.
double q3_k_value(const Bytes& block, size_t i) {
  const size_t half = i / 128, run = i % 128 / 32, lane = i % 32, group = i / 16;
  const int quant = bits_at(block, 32, (32 * half + lane) * 8 + 2 * run, 2) - 4 * (1 - bit_at(block, 0, lane * 8 + i / 32));
  const int low = bits_at(block, 96, group % 8 * 8 + 4 * (group / 8), 4), high = bits_at(block, 104, group % 4 * 8 + 2 * (group / 4), 2);
  return half_at(block, 108) * (low + 16 * high - 32) * quant;
}

/// Value `i` of one Q6_K block: 128 bytes of low nibbles, 64 of high pairs of bits, 16 scales, d.
double q6_k_value(const Bytes& block, size_t i) {
  const size_t half = i / 128, quarter = i % 128 / 32, lane = i % 32;
  const int low = bits_at(block, 0, (64 * half + 32 * (quarter % 2) + lane) * 8 + 4 * (quarter / 2), 4);
  const int high = bits_at(block, 128, (32 * half + lane) * 8 + 2 * quarter, 2);
  const int scale = static_cast<int8_t>(block[192 + i / 16]);
  return half_at(block, 208) * scale * (low + 16 * high - 32);
}

struct BlockCase {
  GgufType type;
  size_t block_bytes;
  std::vector<size_t> halves;  // offsets of the block's binary16 scales
  double (*value)(const Bytes& block, size_t i);
};

// Oracle: each value by itself from the bit layout, in double, rounded once. The library's products are exact but for the last operation
// (one rounding), so the values are equal.
TEST(GgufDequantize, SuperBlocksMatchTheBitLayout) {
  const std::vector<BlockCase> cases = {{GgufType::kQ2_K, 84, {80, 82}, q2_k_value},
                                        {GgufType::kQ3_K, 110, {108}, q3_k_value},
                                        {GgufType::kQ4_K, 144, {0, 2}, q4_k_value},
                                        {GgufType::kQ5_K, 176, {0, 2}, q5_k_value},
                                        {GgufType::kQ6_K, 210, {208}, q6_k_value}};
  std::mt19937 random(7);
  for (const BlockCase& one : cases) {
    for (int trial = 0; trial < 200; ++trial) {
      Bytes bytes(2 * one.block_bytes);
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
      for (size_t block = 0; block < 2; ++block) {
        for (const size_t half : one.halves) bytes[block * one.block_bytes + half + 1] = static_cast<uint8_t>(0x04 + random() % 0x70);
      }
      const auto values = dequantized(tensor_over(one.type, {2, 256}, bytes));
      for (size_t i = 0; i < values.size(); ++i) {
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(i / 256 * one.block_bytes);
        const Bytes block(begin, begin + static_cast<std::ptrdiff_t>(one.block_bytes));
        ASSERT_EQ(values[i], static_cast<float>(one.value(block, i % 256))) << static_cast<uint32_t>(one.type) << " value " << i;
      }
    }
  }
}

// Hand values: one block of each small type, d = 0.5 (0x3800), m = -2 (0xC000), first byte 0xF1, high bits 0x00010001.
TEST(GgufDequantize, SmallBlocks) {
  const auto first_and_17th = [](GgufType type, Bytes prefix, size_t size) {
    prefix.resize(size);
    const auto values = dequantized(tensor_over(type, {32}, prefix));
    return std::pair(values[0], values[16]);
  };
  EXPECT_EQ(first_and_17th(GgufType::kQ4_0, {0, 0x38, 0xF1}, 18), std::pair(-3.5f, 3.5f));
  EXPECT_EQ(first_and_17th(GgufType::kQ4_1, {0, 0x38, 0, 0xC0, 0xF1}, 20), std::pair(-1.5f, 5.5f));
  EXPECT_EQ(first_and_17th(GgufType::kQ5_0, {0, 0x38, 1, 0, 1, 0, 0xF1}, 22), std::pair(0.5f, 7.5f));
  EXPECT_EQ(first_and_17th(GgufType::kQ5_1, {0, 0x38, 0, 0xC0, 1, 0, 1, 0, 0xF1}, 24), std::pair(6.5f, 13.5f));
  EXPECT_EQ(first_and_17th(GgufType::kQ8_0, {0, 0x38, 0x81}, 34), std::pair(-63.5f, 0.0f));
}

// Oracle: ggml's own Python reader (tests/io/make_k_quants.py): blocks of random bytes, every value exact.
TEST(GgufDequantize, SuperBlocksMatchTheReference) {
  const auto golden = read_json(std::filesystem::path(GRPO_SOURCE_DIR) / "tests" / "io" / "k_quants.json");
  EXPECT_EQ(golden.size(), 5u);
  for (const auto& one : golden) {
    SCOPED_TRACE(one["name"]);
    const auto bytes = one["bytes"].get<Bytes>();
    const auto values = dequantized(tensor_over(static_cast<GgufType>(one["type"].get<uint32_t>()), {256}, bytes));
    EXPECT_EQ(values, one["values"].get<std::vector<float>>());
  }
}

TEST(GgufDequantize, RefusesBytesThatDoNotFit) {
  const Bytes bytes(18);
  std::vector<float> values(64);
  GRPO_EXPECT_ERROR(dequantize(tensor_over(GgufType::kQ4_0, {2, 32}, bytes), values), "whole Q4_0 blocks for t; got 18 bytes");
  GRPO_EXPECT_ERROR(dequantize(tensor_over(GgufType::kQ4_0, {16}, bytes), std::span(values).first(16)), "whole Q4_0 blocks");
  GRPO_EXPECT_ERROR(dequantize(tensor_over(static_cast<GgufType>(99), {32}, bytes), std::span(values).first(32)), "another type for t");
}

/// The file whose goldens parity/smollm2 holds; too large to keep beside them.
std::filesystem::path smollm2_path() {
  const char* given = std::getenv("GRPO_SMOLLM2_GGUF");
  return given != nullptr ? given : "";
}

#define GRPO_REQUIRE_SMOLLM2()                                                \
  if (smollm2_path().empty()) GTEST_SKIP() << "GRPO_SMOLLM2_GGUF is not set"; \
  GRPO_REQUIRE_DATA(testing::parity_dir() / "smollm2")

// Oracle: ggml's own Python reader (gguf_layout.json).
TEST(SmolLm2, HasTheReferenceLayout) {
  GRPO_REQUIRE_SMOLLM2();
  const Gguf gguf = Gguf::open(smollm2_path());
  const auto golden = read_json(testing::parity_dir() / "smollm2" / "gguf_layout.json");
  ASSERT_EQ(gguf.tensors().size(), golden["tensors"].size());
  for (size_t i = 0; i < gguf.tensors().size(); ++i) {
    const GgufTensor& tensor = gguf.tensors()[i];
    const auto& expected = golden["tensors"][i];
    EXPECT_EQ(tensor.name, expected["name"].get<std::string>());
    EXPECT_EQ(std::vector<int64_t>(tensor.shape.rbegin(), tensor.shape.rend()), expected["gguf_dims"].get<std::vector<int64_t>>());
    EXPECT_EQ(tensor.offset, expected["offset"]);
    EXPECT_EQ(tensor.bytes.size(), expected["n_bytes"]);
  }
  for (const auto& [key, expected] : golden["metadata"].items()) {
    if (key.starts_with("GGUF.")) continue;
    SCOPED_TRACE(key);
    ASSERT_TRUE(gguf.has(key));
    const auto actual = std::visit([](const auto& value) { return nlohmann::json(value); }, gguf.metadata().at(key));
    if (expected.contains("value")) {
      EXPECT_EQ(actual, expected["value"]);
      continue;
    }
    ASSERT_EQ(actual.size(), expected["count"]);
    for (size_t i = 0; i < expected["first8"].size(); ++i) EXPECT_EQ(actual[i], expected["first8"][i]);
    for (size_t i = 0; i < expected["last4"].size(); ++i) EXPECT_EQ(actual[actual.size() - 4 + i], expected["last4"][i]);
  }
}

// Oracle: ggml's own Python dequantisation (dequant.json): ends, minimum and maximum exact, sums to 1e-12.
TEST(SmolLm2, DequantizesAsTheReference) {
  GRPO_REQUIRE_SMOLLM2();
  const Gguf gguf = Gguf::open(smollm2_path());
  const auto golden = read_json(testing::parity_dir() / "smollm2" / "dequant.json");
  for (const auto& [name, expected] : golden.items()) {
    SCOPED_TRACE(name);
    const GgufTensor* tensor = gguf.find(name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->shape, expected["shape_row_major"].get<std::vector<int64_t>>());
    const auto values = dequantized(*tensor);
    EXPECT_EQ(std::vector<float>(values.begin(), values.begin() + 16), expected["first16"].get<std::vector<float>>());
    EXPECT_EQ(std::vector<float>(values.end() - 16, values.end()), expected["last16"].get<std::vector<float>>());
    const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
    EXPECT_EQ(*lowest, expected["min"].get<float>());
    EXPECT_EQ(*highest, expected["max"].get<float>());
    long double sum = 0, squares = 0;
    for (const long double value : values) {
      sum += value;
      squares += value * value;
    }
    const double expected_squares = expected["sumsq_f64"];
    EXPECT_NEAR(static_cast<double>(sum), expected["sum_f64"], 1e-12 * expected_squares);
    EXPECT_NEAR(static_cast<double>(squares), expected_squares, 1e-12 * expected_squares);
  }
}

}  // namespace
}  // namespace grpo
