#include "grpo/algorithm/correction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <string>

#include "grpo/core/error.h"
#include "surrogate.h"
#include "token_tensors.h"

namespace grpo {

namespace {

/// old − sampling of each pair, 0 outside the mask and where the sampler's is unknown; detached.
at::Tensor sampler_log_ratio(const at::Tensor& old_logprobs, const Batch& batch, const TokenTensors& pairs) {
  GRPO_CHECK(batch.sampling_logprobs.defined() && old_logprobs.sizes() == batch.sampling_logprobs.sizes(), "importance_sampling_ratio",
             "expected log-probs of the sampler, one for each of the policy's; got none or another number");
  const at::TensorOptions options = old_logprobs.options();
  const at::Tensor sampling = batch.sampling_logprobs.to(options);
  return pairs.keep(at::where(sampling.isnan(), at::zeros({}, options), old_logprobs.detach() - sampling));
}

}  // namespace

at::Tensor importance_sampling_ratio(const at::Tensor& old_logprobs, const Batch& batch, const LossConfig& config) try {
  const TokenTensors pairs(batch, old_logprobs.options());
  const auto mode = config.importance_sampling_mode;
  at::Tensor log_ratio = sampler_log_ratio(old_logprobs, batch, pairs);
  if (is_sequence_mode(mode)) log_ratio = pairs.sum(log_ratio);
  const at::Tensor ratio = log_ratio.clamp(-kMaxLogRatio, kMaxLogRatio).exp();
  const double low = config.importance_sampling_clip_min.value_or(0.0);
  const double high = config.importance_sampling_clip_max.value_or(std::numeric_limits<double>::infinity());
  const bool truncate = mode == CorrectionMode::kTokenTruncate || mode == CorrectionMode::kSequenceTruncate;
  return truncate ? ratio.clamp(low, high) : ratio.masked_fill((ratio < low).logical_or(ratio > high), 0);
} catch (...) {
  rethrow_as_error("importance_sampling_ratio");
}

at::Tensor acceptance(const at::Tensor& old_logprobs, const Batch& batch, const LossConfig& config) try {
  const TokenTensors pairs(batch, old_logprobs.options());
  const at::Tensor log_ratio = sampler_log_ratio(old_logprobs, batch, pairs).clamp(-kMaxLogRatio, kMaxLogRatio);
  const double high = config.rejection_max.value_or(std::numeric_limits<double>::infinity());
  const auto accepted = [&]() -> at::Tensor {
    switch (config.rejection_mode) {
      case RejectionMode::kGeometric: {
        const at::Tensor ratio = pairs.loss_mean(log_ratio).exp();
        return (ratio >= config.rejection_min.value_or(0.0)).logical_and(ratio <= high);
      }
      case RejectionMode::kK1:
        return pairs.loss_mean(log_ratio).abs() <= high;
      case RejectionMode::kK3:
        return pairs.loss_mean(log_ratio.expm1() - log_ratio) <= high;
      case RejectionMode::kNone:
        break;
    }
    fail("acceptance", "expected rejection_mode geometric, k1 or k3; got none");
  };
  return accepted().to(old_logprobs.scalar_type());
} catch (...) {
  rethrow_as_error("acceptance");
}

}  // namespace grpo
