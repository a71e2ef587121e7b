#include "grpo/algorithm/correction.h"

#include <ATen/ATen.h>

#include <limits>

#include "grpo/core/error.h"
#include "pairs.h"
#include "surrogate.h"

namespace grpo {

at::Tensor importance_sampling_ratio(const at::Tensor& old_logprobs, const Batch& batch, const LossConfig& config) {
  GRPO_CHECK(batch.sampling_logprobs.defined() && old_logprobs.sizes() == batch.sampling_logprobs.sizes(), "importance_sampling_ratio",
             "expected log-probs of the sampler, one for each of the policy's; got none or another number");
  const at::TensorOptions options = old_logprobs.options();
  const Pairs pairs(batch, options);
  const auto mode = config.importance_sampling_mode;
  const at::Tensor sampling = batch.sampling_logprobs.to(options);
  at::Tensor log_ratio = pairs.keep(at::where(sampling.isnan(), at::zeros({}, options), old_logprobs.detach() - sampling));
  if (is_sequence_mode(mode)) log_ratio = pairs.sum(log_ratio);
  const at::Tensor ratio = log_ratio.clamp(-kMaxLogRatio, kMaxLogRatio).exp();
  const double low = config.importance_sampling_clip_min.value_or(0.0);
  const double high = config.importance_sampling_clip_max.value_or(std::numeric_limits<double>::infinity());
  const bool truncate = mode == CorrectionMode::kTokenTruncate || mode == CorrectionMode::kSequenceTruncate;
  return truncate ? ratio.clamp(low, high) : ratio.masked_fill((ratio < low).logical_or(ratio > high), 0);
}

}  // namespace grpo
