#include "grpo/io/dtype.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "grpo/core/error.h"
#include "io/half.h"

namespace grpo {
namespace {

struct Row {
  std::string_view name;
  int64_t size;
};

constexpr std::array<Row, 15> kRows = {{{"BOOL", 1},
                                        {"U8", 1},
                                        {"I8", 1},
                                        {"F8_E5M2", 1},
                                        {"F8_E4M3", 1},
                                        {"I16", 2},
                                        {"U16", 2},
                                        {"F16", 2},
                                        {"BF16", 2},
                                        {"I32", 4},
                                        {"U32", 4},
                                        {"F32", 4},
                                        {"F64", 8},
                                        {"I64", 8},
                                        {"U64", 8}}};

const Row& row_of(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  GRPO_CHECK(index < kRows.size(), "DType", "expected a value of the enumeration; got " + std::to_string(index));
  return kRows[index];
}

/// Converts through aligned blocks of fixed length: the inner loop vectorises at -O2 and unaligned memory is only ever copied.
template <typename Source, typename Target, Target (*kConvertOne)(Source)>
void convert(const void* source, void* target, int64_t count) {
  constexpr int64_t kBlock = 256;
  Source in[kBlock] = {};
  Target out[kBlock];
  const auto* from = static_cast<const std::byte*>(source);
  auto* to = static_cast<std::byte*>(target);
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const auto length = static_cast<size_t>(std::min(kBlock, count - begin));
    std::memcpy(in, from + static_cast<size_t>(begin) * sizeof(Source), length * sizeof(Source));
    for (int64_t i = 0; i < kBlock; ++i) out[i] = kConvertOne(in[i]);
    std::memcpy(to + static_cast<size_t>(begin) * sizeof(Target), out, length * sizeof(Target));
  }
}

float round_double(double value) { return static_cast<float>(value); }

void copy_floats(const void* source, void* target, int64_t count) {
  if (count > 0) std::memcpy(target, source, static_cast<size_t>(count) * sizeof(float));
}

}  // namespace

int64_t size_of(DType dtype) { return row_of(dtype).size; }

std::string_view to_string(DType dtype) { return row_of(dtype).name; }

DType parse_dtype(std::string_view name) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& candidate) { return candidate.name == name; });
  if (row == kRows.end()) {
    std::string known;
    for (const Row& candidate : kRows) known.append(known.empty() ? "" : ", ").append(candidate.name);
    fail("parse_dtype", "expected one of " + known + "; got \"" + std::string(name) + "\"");
  }
  return static_cast<DType>(row - kRows.begin());
}

void convert_to_float(const void* source, DType dtype, float* target, int64_t count) {
  switch (dtype) {
    case DType::kF32:
      return copy_floats(source, target, count);
    case DType::kF16:
      return convert<uint16_t, float, half::from_f16>(source, target, count);
    case DType::kBF16:
      return convert<uint16_t, float, half::from_bf16>(source, target, count);
    case DType::kF64:
      return convert<double, float, round_double>(source, target, count);
    default:
      fail("convert_to_float", "expected F32, F16, BF16 or F64; got " + std::string(to_string(dtype)));
  }
}

void convert_from_float(const float* source, DType dtype, void* target, int64_t count) {
  switch (dtype) {
    case DType::kF32:
      return copy_floats(source, target, count);
    case DType::kF16:
      return convert<float, uint16_t, half::to_f16>(source, target, count);
    case DType::kBF16:
      return convert<float, uint16_t, half::to_bf16>(source, target, count);
    default:
      fail("convert_from_float", "expected F32, F16 or BF16; got " + std::string(to_string(dtype)));
  }
}

}  // namespace grpo
