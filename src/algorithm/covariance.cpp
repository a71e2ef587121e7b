#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>

#include "grpo/algorithm/loss.h"
#include "grpo/core/error.h"
#include "surrogate.h"

namespace grpo {

at::Tensor covariance_tokens(const at::Tensor& logprobs, const Batch& part, const LossConfig& config) try {
  const TokenTensors pairs(part, logprobs.options());
  const at::Tensor current = pairs.keep(logprobs.detach()), advantages = pairs.keep(part.advantages);
  at::Tensor draws = at::zeros_like(current);
  if (loss_row(config.loss_type).surrogate == Surrogate::kClipCov) {
    GRPO_CHECK(part.draws.defined(), "covariance_tokens", "expected draws, as loss_type is clip_cov; got none");
    const at::Tensor old = part.old_logprobs.defined() ? pairs.keep(part.old_logprobs) : current;
    const at::Tensor ratio = ratio_at(ImportanceSamplingLevel::kToken, current - old, pairs);
    const ClippedTokens clipped = clipped_tokens(ratio, advantages, config);
    draws = part.draws.to(current.options()).masked_fill(clipped.low.logical_or(clipped.high), std::numeric_limits<double>::infinity());
  }
  return at::stack({advantages, current, draws}, 1).index({pairs.in_loss()});
} catch (...) {
  rethrow_as_error("covariance_tokens");
}

void set_covariance(LossNormalizer& normalizer, const at::Tensor& tokens, const LossConfig& config) try {
  constexpr auto kWhere = "set_covariance";
  GRPO_CHECK(tokens.dim() == 2 && tokens.size(1) == 3, kWhere, "expected tokens [K, 3]; got another shape");
  CovarianceStatistics& statistics = normalizer.covariance.emplace();
  const int64_t count = tokens.size(0);
  if (count == 0) return;
  const at::Tensor advantages = tokens.select(1, 0), logprobs = tokens.select(1, 1), draws = tokens.select(1, 2);
  statistics.advantage_mean = advantages.mean(at::kDouble).item<double>();
  statistics.logprob_mean = logprobs.mean(at::kDouble).item<double>();
  const at::Tensor covariance = token_covariance(advantages, logprobs, statistics);
  const bool drops = loss_row(config.loss_type).surrogate == Surrogate::kClipCov;
  const double share = drops ? config.clip_cov_ratio : config.kl_cov_ratio;
  if (share == 0.0) {  // no token is chosen
    statistics.threshold = drops ? -1.0 : std::numeric_limits<double>::infinity();
    return;
  }
  const int64_t chosen = std::clamp<int64_t>(static_cast<int64_t>(share * static_cast<double>(count)), 1, count);
  if (drops) {
    const at::Tensor eligible = (covariance > config.clip_cov_min).logical_and(covariance < config.clip_cov_max);
    const at::Tensor drawn = draws.masked_fill(eligible.logical_not(), std::numeric_limits<double>::infinity());
    statistics.threshold = std::get<0>(drawn.kthvalue(chosen)).item<double>();
  } else {
    statistics.threshold = std::get<0>(covariance.kthvalue(count - chosen + 1)).item<double>();
  }
} catch (...) {
  rethrow_as_error("set_covariance");
}

}  // namespace grpo
