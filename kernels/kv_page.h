#pragma once

#include <cstdint>

namespace grpo::kernels {

/// Entries (positions) of a page of keys and values: whole key blocks of the CPU's kernels, whole tiles of CUDA's attention. C++17.
inline constexpr int64_t kKvPage = 64;

}  // namespace grpo::kernels
