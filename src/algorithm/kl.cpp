#include "grpo/algorithm/kl.h"

#include <ATen/TensorOperators.h>

#include "grpo/core/error.h"

namespace grpo {

namespace {

at::Tensor k2(const at::Tensor& x) { return 0.5 * x.square(); }

at::Tensor k3(const at::Tensor& x) {
  constexpr double kMaxLogRatio = 20.0;
  const at::Tensor bounded = x.clamp_max(kMaxLogRatio);
  const at::Tensor growth = bounded.expm1();
  return growth - x + (growth + 1) * (x - bounded);  // x − bounded is 0 up to the bound; beyond it the slope stays that of e^20
}

/// The value of one, the gradient of the other.
at::Tensor straight_through(const at::Tensor& value, const at::Tensor& gradient) { return value.detach() + (gradient - gradient.detach()); }

}  // namespace

at::Tensor kl_estimate(KlEstimator estimator, const at::Tensor& logprobs, const at::Tensor& ref_logprobs) try {
  const at::Tensor x = ref_logprobs - logprobs;
  switch (estimator) {
    case KlEstimator::kK1:
      return -x;
    case KlEstimator::kK2:
      return k2(x);
    case KlEstimator::kK3:
      return k3(x);
    case KlEstimator::kAbs:
      return x.abs();
    case KlEstimator::kK1Plus:
      return straight_through(-x, k2(x));
    case KlEstimator::kK3Plus:
      return straight_through(k3(x), k2(x));
  }
  fail("kl_estimate", "expected a known estimator; got another value");
} catch (...) {
  rethrow_as_error("kl_estimate");
}

at::Tensor kl_penalty(const Batch& batch, double beta) try {
  const at::Tensor& policy = batch.old_logprobs.defined() ? batch.old_logprobs : batch.sampling_logprobs;
  GRPO_CHECK(policy.defined() && batch.ref_logprobs.defined(), "kl_penalty",
             "expected log-probs of the old policy or the sampler, and of the reference; got none");
  const at::Tensor k1 = kl_estimate(KlEstimator::kK1, policy, batch.ref_logprobs);
  return (-beta * k1).masked_fill((batch.mask == 0).logical_or(policy.isnan()), 0.0).to(at::kFloat);
} catch (...) {
  rethrow_as_error("kl_penalty");
}

}  // namespace grpo
