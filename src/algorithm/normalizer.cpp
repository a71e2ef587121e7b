#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>

#include <cmath>
#include <string>

#include "grpo/algorithm/loss.h"
#include "grpo/core/error.h"

namespace grpo {

LossNormalizer loss_normalizer(const Batch& step, int64_t max_completion_length) try {
  const double tokens = step.mask.sum(at::kDouble).item<double>();
  return {.tokens = tokens,
          .sequences = static_cast<double>(step.num_sequences()),
          .max_completion_length = static_cast<double>(max_completion_length),
          .entropy_tokens = tokens};
} catch (...) {
  rethrow_as_error("loss_normalizer");
}

void set_entropy_threshold(LossNormalizer& normalizer, const at::Tensor& entropy, const at::Tensor& mask, double top_entropy_quantile) try {
  constexpr auto kWhere = "set_entropy_threshold";
  GRPO_CHECK(entropy.sizes() == mask.sizes() && entropy.dim() == 1, kWhere, "expected entropies and mask of one shape [M]; got others");
  GRPO_CHECK(top_entropy_quantile >= 0 && top_entropy_quantile <= 1, kWhere,
             "expected a quantile in [0, 1]; got " + std::to_string(top_entropy_quantile));
  const at::Tensor sorted = std::get<0>(entropy.detach().masked_select(mask > 0).sort());
  const int64_t count = sorted.size(0);
  if (count == 0) {
    normalizer.entropy_threshold = 0.0;
    normalizer.entropy_tokens = 0.0;
    return;
  }
  const double rank = (1 - top_entropy_quantile) * static_cast<double>(count - 1);
  const auto below = static_cast<int64_t>(std::floor(rank));
  const double low = sorted[below].item<double>(), high = sorted[std::min(below + 1, count - 1)].item<double>();
  const at::Tensor threshold = at::full({}, low + (rank - static_cast<double>(below)) * (high - low), sorted.options());
  normalizer.entropy_threshold = threshold.item<double>();  // rounded as the entropies are, so that a tie stays a tie
  normalizer.entropy_tokens = (sorted >= threshold).sum().item<double>();
} catch (...) {
  rethrow_as_error("set_entropy_threshold");
}

}  // namespace grpo
