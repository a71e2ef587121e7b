#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "backend.h"
#include "decode.h"

namespace grpo {

/// What one thread's draws reuse.
struct SamplerScratch {
  std::vector<float> block_sums, processed;
  std::vector<std::pair<float, int32_t>> candidates;  // (logit, id)
};

/// Draws from one row of logits [count], count being a multiple of the kernels' panel_columns and columns beyond the vocabulary being
/// -infinity. `uniform` in [0, 1).
DrawnToken draw_token(const kernels::DecodeKernels& kernels, const SamplingParams& params, std::span<const float> logits, float uniform,
                      std::span<const int32_t> prompt, std::span<const int32_t> output, SamplerScratch& scratch);

}  // namespace grpo
