#include "grpo/algorithm/kl.h"

#include <ATen/ATen.h>

#include "grpo/core/error.h"

namespace grpo {

at::Tensor kl_estimate(KlEstimator estimator, const at::Tensor& logprobs, const at::Tensor& ref_logprobs) {
  const at::Tensor x = ref_logprobs - logprobs;
  switch (estimator) {
    case KlEstimator::kK1:
      return -x;
    case KlEstimator::kK2:
      return 0.5 * x.square();
    case KlEstimator::kK3: {
      constexpr double kMaxLogRatio = 20.0;
      const at::Tensor bounded = x.clamp_max(kMaxLogRatio);
      const at::Tensor growth = bounded.expm1();
      return growth - x + (growth + 1) * (x - bounded);  // x − bounded is 0 up to the bound; beyond it the slope stays that of e^20
    }
  }
  fail("kl_estimate", "expected k1, k2 or k3; got another value");
}

}  // namespace grpo
