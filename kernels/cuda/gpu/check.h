#pragma once

#include <cuda_runtime_api.h>

#include <string>
#include <string_view>

#include "grpo/core/error.h"

namespace grpo::device {

/// Throws an Error unless the CUDA call succeeded.
inline void check(cudaError_t status, std::string_view where) {
  GRPO_CHECK(status == cudaSuccess, where, std::string("expected success of the CUDA runtime; got ") + cudaGetErrorString(status));
}

}  // namespace grpo::device
