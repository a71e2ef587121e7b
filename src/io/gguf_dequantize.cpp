#include <algorithm>
#include <cstring>

#include "grpo/core/error.h"
#include "grpo/io/dtype.h"
#include "io/gguf_layout.h"
#include "io/half.h"

namespace grpo {
namespace {

// Block layouts of ggml. A 32-block's value j lies in the low nibble of byte j, value j + 16 in the high one. Products of an 11-bit scale
// and a small integer are exact in float, so every value is rounded at most once.
constexpr int kHalfBlock = 16;

float read_half(const uint8_t* bytes) {
  uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return half::from_f16(bits);
}

int high_bit(uint32_t high, int j) { return static_cast<int>((high >> j) & 1u) << 4; }

void decode_q4_0(const uint8_t* block, float* out) {
  const float scale = read_half(block);
  const uint8_t* quants = block + 2;
  for (int j = 0; j < kHalfBlock; ++j) {
    out[j] = static_cast<float>((quants[j] & 15) - 8) * scale;
    out[j + kHalfBlock] = static_cast<float>((quants[j] >> 4) - 8) * scale;
  }
}

void decode_q4_1(const uint8_t* block, float* out) {
  const float scale = read_half(block), minimum = read_half(block + 2);
  const uint8_t* quants = block + 4;
  for (int j = 0; j < kHalfBlock; ++j) {
    out[j] = static_cast<float>(quants[j] & 15) * scale + minimum;
    out[j + kHalfBlock] = static_cast<float>(quants[j] >> 4) * scale + minimum;
  }
}

void decode_q5_0(const uint8_t* block, float* out) {
  const float scale = read_half(block);
  uint32_t high;
  std::memcpy(&high, block + 2, sizeof(high));
  const uint8_t* quants = block + 6;
  for (int j = 0; j < kHalfBlock; ++j) {
    out[j] = static_cast<float>(((quants[j] & 15) | high_bit(high, j)) - 16) * scale;
    out[j + kHalfBlock] = static_cast<float>(((quants[j] >> 4) | high_bit(high, j + kHalfBlock)) - 16) * scale;
  }
}

void decode_q5_1(const uint8_t* block, float* out) {
  const float scale = read_half(block), minimum = read_half(block + 2);
  uint32_t high;
  std::memcpy(&high, block + 4, sizeof(high));
  const uint8_t* quants = block + 8;
  for (int j = 0; j < kHalfBlock; ++j) {
    out[j] = static_cast<float>((quants[j] & 15) | high_bit(high, j)) * scale + minimum;
    out[j + kHalfBlock] = static_cast<float>((quants[j] >> 4) | high_bit(high, j + kHalfBlock)) * scale + minimum;
  }
}

void decode_q8_0(const uint8_t* block, float* out) {
  const float scale = read_half(block);
  for (int j = 0; j < 2 * kHalfBlock; ++j) out[j] = static_cast<float>(static_cast<int8_t>(block[2 + j])) * scale;
}

/// 16 groups of 16 values, two bits each: byte j of a half (32 bytes) has value j of each of its four runs of 32. A group's byte of scales
/// has the scale in its low nibble, the minimum in the high one.
void decode_q2_k(const uint8_t* block, float* out) {
  const uint8_t* scales = block;
  const float scale = read_half(block + 80), minimum = read_half(block + 82);
  for (int group = 0; group < 16; ++group, out += kHalfBlock) {
    const float group_scale = scale * static_cast<float>(scales[group] & 15),
                group_minimum = minimum * static_cast<float>(scales[group] >> 4);
    const uint8_t* quants = block + 16 + 32 * (group / 8) + 16 * (group % 2);
    const int shift = 2 * (group % 8 / 2);
    for (int j = 0; j < kHalfBlock; ++j) out[j] = group_scale * static_cast<float>(quants[j] >> shift & 3) - group_minimum;
  }
}

/// As Q2_K, with a third bit from a mask of 32 bytes (bit r of byte j: value j of the r-th run of 32) and signed 6-bit scales: low nibbles
/// in 8 bytes, high pairs of bits in 4.
void decode_q3_k(const uint8_t* block, float* out) {
  const uint8_t* packed = block + 96;
  const float scale = read_half(block + 108);
  for (int group = 0; group < 16; ++group, out += kHalfBlock) {
    const int low = group < 8 ? packed[group] & 15 : packed[group - 8] >> 4, high = packed[8 + group % 4] >> (2 * (group / 4)) & 3;
    const float group_scale = scale * static_cast<float>((low | high << 4) - 32);
    const uint8_t* mask = block + 16 * (group % 2);
    const uint8_t* quants = block + 32 + 32 * (group / 8) + 16 * (group % 2);
    const int run = group / 2, shift = 2 * (run % 4);
    for (int j = 0; j < kHalfBlock; ++j) {
      out[j] = group_scale * static_cast<float>((quants[j] >> shift & 3) + 4 * (mask[j] >> run & 1) - 4);
    }
  }
}

/// Eight pairs of 6-bit (scale, minimum) in 12 bytes: the first four whole in bytes 0-7, whose top bits complete the nibbles of bytes 8-11.
void unpack_k_scales(const uint8_t* packed, int* scales, int* minimums) {
  for (int i = 0; i < 4; ++i) {
    scales[i] = packed[i] & 63;
    minimums[i] = packed[i + 4] & 63;
    scales[i + 4] = (packed[i + 8] & 15) | (packed[i] >> 6) << 4;
    minimums[i + 4] = (packed[i + 8] >> 4) | (packed[i + 4] >> 6) << 4;
  }
}

void decode_q4_k(const uint8_t* block, float* out) {
  const float scale = read_half(block), minimum = read_half(block + 2);
  int scales[8], minimums[8];
  unpack_k_scales(block + 4, scales, minimums);
  const uint8_t* quants = block + 16;
  for (int group = 0; group < 8; group += 2, quants += 32, out += 64) {
    const float low_scale = scale * static_cast<float>(scales[group]), low_minimum = minimum * static_cast<float>(minimums[group]);
    const float high_scale = scale * static_cast<float>(scales[group + 1]),
                high_minimum = minimum * static_cast<float>(minimums[group + 1]);
    for (int j = 0; j < 32; ++j) {
      out[j] = low_scale * static_cast<float>(quants[j] & 15) - low_minimum;
      out[j + 32] = high_scale * static_cast<float>(quants[j] >> 4) - high_minimum;
    }
  }
}

/// As Q4_K, with a fifth bit from 32 bytes: bit g of byte j belongs to value j of group g.
void decode_q5_k(const uint8_t* block, float* out) {
  const float scale = read_half(block), minimum = read_half(block + 2);
  int scales[8], minimums[8];
  unpack_k_scales(block + 4, scales, minimums);
  const uint8_t* high = block + 16;
  for (int group = 0; group < 8; ++group, out += 32) {
    const uint8_t* quants = block + 48 + 32 * (group / 2);
    const float group_scale = scale * static_cast<float>(scales[group]), group_minimum = minimum * static_cast<float>(minimums[group]);
    const int shift = 4 * (group % 2);
    for (int j = 0; j < 32; ++j) {
      out[j] = group_scale * static_cast<float>((quants[j] >> shift & 15) | (high[j] >> group & 1) << 4) - group_minimum;
    }
  }
}

void decode_q6_k(const uint8_t* block, float* out) {
  const float scale = read_half(block + 208);
  for (int half = 0; half < 2; ++half, out += 128) {
    const uint8_t* low = block + 64 * half;
    const uint8_t* high = block + 128 + 32 * half;
    const uint8_t* scales = block + 192 + 8 * half;
    for (int j = 0; j < 32; ++j) {
      const int quants[4] = {(low[j] & 15) | (high[j] & 3) << 4, (low[j + 32] & 15) | (high[j] >> 2 & 3) << 4,
                             (low[j] >> 4) | (high[j] >> 4 & 3) << 4, (low[j + 32] >> 4) | (high[j] >> 6) << 4};
      for (int quarter = 0; quarter < 4; ++quarter) {
        const auto group_scale = static_cast<float>(static_cast<int8_t>(scales[j / 16 + 2 * quarter]));
        out[j + 32 * quarter] = scale * group_scale * static_cast<float>(quants[quarter] - 32);
      }
    }
  }
}

constexpr GgufLayout kLayouts[] = {
    {GgufType::kF32, "F32", 1, 4, nullptr},           {GgufType::kF16, "F16", 1, 2, nullptr},
    {GgufType::kBF16, "BF16", 1, 2, nullptr},         {GgufType::kQ4_0, "Q4_0", 32, 18, decode_q4_0},
    {GgufType::kQ4_1, "Q4_1", 32, 20, decode_q4_1},   {GgufType::kQ5_0, "Q5_0", 32, 22, decode_q5_0},
    {GgufType::kQ5_1, "Q5_1", 32, 24, decode_q5_1},   {GgufType::kQ8_0, "Q8_0", 32, 34, decode_q8_0},
    {GgufType::kQ2_K, "Q2_K", 256, 84, decode_q2_k},  {GgufType::kQ3_K, "Q3_K", 256, 110, decode_q3_k},
    {GgufType::kQ4_K, "Q4_K", 256, 144, decode_q4_k}, {GgufType::kQ5_K, "Q5_K", 256, 176, decode_q5_k},
    {GgufType::kQ6_K, "Q6_K", 256, 210, decode_q6_k},
};

struct TypeName {
  uint32_t type;
  const char* name;
};

/// Types of ggml that are not read.
constexpr TypeName kForeignTypes[] = {{9, "Q8_1"},   {15, "Q8_K"},   {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
                                      {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},   {22, "IQ2_S"},  {23, "IQ4_XS"},
                                      {24, "I8"},    {25, "I16"},    {26, "I32"},     {27, "I64"},    {28, "F64"},
                                      {29, "IQ1_M"}, {34, "TQ1_0"},  {35, "TQ2_0"},   {39, "MXFP4"}};

DType plain_dtype(GgufType type) { return type == GgufType::kF32 ? DType::kF32 : type == GgufType::kF16 ? DType::kF16 : DType::kBF16; }

}  // namespace

const GgufLayout* find_gguf_layout(uint32_t type) {
  const auto* found =
      std::find_if(std::begin(kLayouts), std::end(kLayouts), [&](const GgufLayout& l) { return static_cast<uint32_t>(l.type) == type; });
  return found != std::end(kLayouts) ? found : nullptr;
}

std::string known_gguf_types() {
  std::string names;
  for (const GgufLayout& layout : kLayouts) names.append(names.empty() ? "" : ", ").append(layout.name);
  return names;
}

std::string gguf_type_name(uint32_t type) {
  if (const GgufLayout* layout = find_gguf_layout(type)) return layout->name;
  const auto* found = std::ranges::find(kForeignTypes, type, &TypeName::type);
  return found != std::end(kForeignTypes) ? found->name : "type " + std::to_string(type);
}

void dequantize(const GgufTensor& tensor, std::span<float> out) {
  constexpr auto kWhere = "dequantize";
  const GgufLayout* layout = find_gguf_layout(static_cast<uint32_t>(tensor.type));
  GRPO_CHECK(layout != nullptr, kWhere, "expected one of " + known_gguf_types() + "; got another type for " + tensor.name);
  GRPO_CHECK(static_cast<uint64_t>(tensor.numel()) == out.size(), kWhere,
             "expected room for " + std::to_string(tensor.numel()) + " values of " + tensor.name + "; got " + std::to_string(out.size()));
  const size_t blocks = out.size() / static_cast<size_t>(layout->elements);
  GRPO_CHECK(out.size() % static_cast<size_t>(layout->elements) == 0 && tensor.bytes.size() == blocks * static_cast<size_t>(layout->bytes),
             kWhere,
             "expected whole " + std::string(layout->name) + " blocks for " + tensor.name + "; got " + std::to_string(tensor.bytes.size()) +
                 " bytes");
  if (layout->decode == nullptr) return convert_to_float(tensor.bytes.data(), plain_dtype(tensor.type), out.data(), tensor.numel());
  const auto* block = reinterpret_cast<const uint8_t*>(tensor.bytes.data());
  float* target = out.data();
  for (size_t i = 0; i < blocks; ++i, block += layout->bytes, target += layout->elements) layout->decode(block, target);
}

}  // namespace grpo
