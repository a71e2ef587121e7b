#pragma once

#include <cstdint>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// Element types of tensors in files. Names as in safetensors.
enum class DType : uint8_t { kBool, kU8, kI8, kF8E5M2, kF8E4M3, kI16, kU16, kF16, kBF16, kI32, kU32, kF32, kF64, kI64, kU64 };

/// Bytes per element.
int64_t size_of(DType dtype);
std::string_view to_string(DType dtype);  // "F32", "BF16", …
/// The inverse of to_string. Throws if the name is none of the above (F4, F8_E8M0, C64, …).
DType parse_dtype(std::string_view name);

/// Converts `count` elements of F32, F16, BF16 or F64 to float (F64 rounds to nearest even).
/// `source` need not be aligned and must not overlap `target`. Throws on other types.
void convert_to_float(const void* source, DType dtype, float* target, int64_t count);
/// Converts `count` floats to F32, F16 or BF16, rounding to nearest even: overflow gives an infinity, NaN stays NaN.
/// `target` need not be aligned and must not overlap `source`. Throws on other types.
void convert_from_float(const float* source, DType dtype, void* target, int64_t count);

}  // namespace grpo
