#include "grpo/algorithm/kl.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "grpo/algorithm/loss.h"
#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::kl_estimate;
using grpo::KlEstimator;
using grpo::LossConfig;
using grpo::testing::largest_difference;

constexpr int64_t kKlVocabulary = 6;

at::Tensor normalized(const std::vector<double>& counts) {
  const at::Tensor weights = at::tensor(counts, at::kDouble);
  return weights / weights.sum();
}

const at::Tensor kReference = normalized({5, 1, 2, 2, 7, 3});

/// One-token completions that hold each id as often as its probability under a sampling policy with rational probabilities says, so that a
/// mean over them is that policy's exact expectation.
struct Enumeration {
  explicit Enumeration(const std::vector<double>& counts) {
    for (size_t id = 0; id < counts.size(); ++id) {
      for (int copy = 0; copy < static_cast<int>(counts[id]); ++copy) ids.push_back(static_cast<int64_t>(id));
    }
    index = at::tensor(ids);
    sampler = normalized(counts);
    std::vector<grpo::Rollout> rollouts(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      rollouts[i].prompt_ids = {0};
      rollouts[i].ids = {static_cast<int32_t>(ids[i])};
    }
    batch = grpo::make_batch(rollouts, at::zeros({static_cast<int64_t>(ids.size())}));
    batch.old_logprobs = sampler.log().index_select(0, index);
    batch.ref_logprobs = kReference.log().index_select(0, index);
  }
  std::vector<int64_t> ids;
  at::Tensor index, sampler;
  grpo::Batch batch;
};

const std::vector<double> kOnPolicy = {1, 2, 3, 4, 5, 6};
const std::vector<double> kOffPolicy = {4, 1, 1, 3, 2, 2};

/// Gradient with respect to the logits of the policy (1, …, 6) / 21 of an expectation over the samples of `enumeration`.
at::Tensor logit_gradient(const Enumeration& enumeration, const std::function<at::Tensor(const at::Tensor&)>& loss_of_logprobs) {
  const at::Tensor logits = normalized(kOnPolicy).log().requires_grad_(true);
  loss_of_logprobs(logits.log_softmax(0).index_select(0, enumeration.index)).backward();
  return logits.grad();
}

/// ∇ KL(policy ‖ reference), or the other way round, from the definition.
at::Tensor exact_gradient(bool forward) {
  const at::Tensor logits = normalized(kOnPolicy).log().requires_grad_(true);
  const at::Tensor log_policy = logits.log_softmax(0), log_reference = kReference.log();
  const at::Tensor kl = forward ? kReference * (log_reference - log_policy) : log_policy.exp() * (log_policy - log_reference);
  kl.sum().backward();
  return logits.grad();
}

/// The gradient of policy_loss with beta 1 and no advantages.
at::Tensor loss_gradient(const Enumeration& enumeration, KlEstimator estimator, bool bias_correction) {
  const LossConfig config{.beta = 1.0, .kl_estimator = estimator, .use_bias_correction_kl = bias_correction};
  return logit_gradient(enumeration, [&](const at::Tensor& logprobs) {
    return grpo::policy_loss(logprobs, {}, enumeration.batch, grpo::loss_normalizer(enumeration.batch, 1), config).loss;
  });
}

constexpr double kKlExact = 1e-7;  // the batch keeps old and reference log-probs in float32 or better

// Oracle of this suite: exact enumeration of a six-token vocabulary against the definition of KL.

TEST(KlGradient, K1AsLossHasNone) {
  const Enumeration samples(kOnPolicy);
  const auto gradient =
      logit_gradient(samples, [&](const at::Tensor& lp) { return kl_estimate(KlEstimator::kK1, lp, samples.batch.ref_logprobs).mean(); });
  EXPECT_LE(gradient.abs().max().item<double>(), kKlExact);
}

TEST(KlGradient, K1InTheRewardIsReverse) {
  Enumeration samples(kOnPolicy);
  samples.batch.advantages = grpo::kl_penalty(samples.batch, 1.0);
  const auto gradient = logit_gradient(samples, [&](const at::Tensor& logprobs) {
    return grpo::policy_loss(logprobs, {}, samples.batch, grpo::loss_normalizer(samples.batch, 1), {}).loss;
  });
  EXPECT_LE(largest_difference(gradient, exact_gradient(false)), kKlExact);
}

TEST(KlGradient, K2AsLossIsReverse) {
  EXPECT_LE(largest_difference(loss_gradient(Enumeration(kOnPolicy), KlEstimator::kK2, false), exact_gradient(false)), kKlExact);
}

TEST(KlGradient, StraightThroughFormsAreReverse) {
  for (const auto estimator : {KlEstimator::kK1Plus, KlEstimator::kK3Plus}) {
    EXPECT_LE(largest_difference(loss_gradient(Enumeration(kOnPolicy), estimator, false), exact_gradient(false)), kKlExact);
  }
}

TEST(KlGradient, AbsIsThatOfTwiceTheTotalVariation) {
  const at::Tensor logits = normalized(kOnPolicy).log().requires_grad_(true);
  (logits.softmax(0) - kReference).abs().sum().backward();
  EXPECT_LE(largest_difference(loss_gradient(Enumeration(kOnPolicy), KlEstimator::kAbs, false), logits.grad()), kKlExact);
}

TEST(KlGradient, K3AsLossIsForward) {
  EXPECT_LE(largest_difference(loss_gradient(Enumeration(kOnPolicy), KlEstimator::kK3, false), exact_gradient(true)), kKlExact);
}

TEST(KlGradient, K3OffPolicyIsNeither) {
  const auto gradient = loss_gradient(Enumeration(kOffPolicy), KlEstimator::kK3, false);
  EXPECT_GT(largest_difference(gradient, exact_gradient(false)), 1e-2);
  EXPECT_GT(largest_difference(gradient, exact_gradient(true)), 1e-2);
}

TEST(KlGradient, RatioTimesK1OrK3IsReverseOnAndOffPolicy) {
  for (const auto& counts : {kOnPolicy, kOffPolicy}) {
    for (const auto estimator : {KlEstimator::kK1, KlEstimator::kK3}) {
      EXPECT_LE(largest_difference(loss_gradient(Enumeration(counts), estimator, true), exact_gradient(false)), kKlExact);
    }
  }
}

TEST(KlGradient, DetachedRatioTimesK3IsForward) {
  const Enumeration samples(kOffPolicy);
  const auto gradient = logit_gradient(samples, [&](const at::Tensor& logprobs) {
    const at::Tensor ratio = (logprobs - samples.batch.old_logprobs).exp().detach();
    return (ratio * kl_estimate(KlEstimator::kK3, logprobs, samples.batch.ref_logprobs)).mean();
  });
  EXPECT_LE(largest_difference(gradient, exact_gradient(true)), kKlExact);
}

TEST(KlValue, K1AndK3HaveTheRightMean) {
  const Enumeration samples(kOnPolicy);
  const at::Tensor logprobs = samples.batch.old_logprobs, reference = samples.batch.ref_logprobs;
  const double exact = (samples.sampler * (samples.sampler.log() - kReference.log())).sum().item<double>();
  EXPECT_NEAR(kl_estimate(KlEstimator::kK1, logprobs, reference).mean().item<double>(), exact, 1e-12);
  EXPECT_NEAR(kl_estimate(KlEstimator::kK3, logprobs, reference).mean().item<double>(), exact, 1e-12);
  EXPECT_GT(std::abs(kl_estimate(KlEstimator::kK2, logprobs, reference).mean().item<double>() - exact), 1e-3);
}

// Oracle: by hand, x = ref − logprob; float32 keeps k3 = x²/2 + x³/6 where x is small.
TEST(KlValue, ByHand) {
  const at::Tensor logprob = at::tensor({-1.0, -1.0, -1.0}), reference = at::tensor({-1.0, 0.0, -3.0});
  const auto k1 = grpo::testing::values(kl_estimate(KlEstimator::kK1, logprob, reference));
  const auto k2 = grpo::testing::values(kl_estimate(KlEstimator::kK2, logprob, reference));
  const auto k3 = grpo::testing::values(kl_estimate(KlEstimator::kK3, logprob, reference));
  EXPECT_EQ(k1, (std::vector<double>{0, -1, 2}));
  EXPECT_EQ(k2, (std::vector<double>{0, 0.5, 2}));
  EXPECT_EQ(grpo::testing::values(kl_estimate(KlEstimator::kAbs, logprob, reference)), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(grpo::testing::values(kl_estimate(KlEstimator::kK1Plus, logprob, reference)), k1);
  EXPECT_EQ(grpo::testing::values(kl_estimate(KlEstimator::kK3Plus, logprob, reference)), k3);
  EXPECT_NEAR(k3[1], std::exp(1.0) - 2, 1e-6);
  EXPECT_NEAR(k3[2], std::exp(-2.0) + 1, 1e-6);
  const auto small = kl_estimate(KlEstimator::kK3, at::zeros({1}), at::full({1}, 1e-3F)).item<double>();
  EXPECT_NEAR(small, 5.001667e-7, 1e-10);
}

// Oracle: by hand. Outside the mask, and where the sampler gave no number, nothing is taken; old log-probs go before the sampler's.
TEST(KlPenalty, ByHand) {
  grpo::Rollout rollout;
  rollout.prompt_ids = {0};
  rollout.ids = {1, 2, 3};
  auto batch = grpo::make_batch({rollout}, {});
  batch.mask = at::tensor({1.0F, 1.0F, 0.0F});
  batch.ref_logprobs = at::tensor({-2.0F, -1.0F, -1.0F});
  batch.sampling_logprobs = at::tensor({-1.5F, std::numeric_limits<float>::quiet_NaN(), -9.0F});
  EXPECT_EQ(grpo::testing::values(grpo::kl_penalty(batch, 0.5)), (std::vector<double>{-0.25, 0, 0}));
  batch.old_logprobs = at::tensor({-1.0F, -2.0F, -9.0F});
  EXPECT_EQ(grpo::testing::values(grpo::kl_penalty(batch, 0.5)), (std::vector<double>{-0.5, 0.5, 0}));
  batch.ref_logprobs = at::Tensor();
  EXPECT_THROW(grpo::kl_penalty(batch, 0.5), grpo::Error);
}

// Property: far from the reference k3 stays finite, is continuous at its bound, and its gradient keeps pulling back.
TEST(KlValue, K3BeyondItsBound) {
  const at::Tensor logprob = at::tensor({-1e4, -20.0 - 1e-9, -20.0 + 1e-9, 1e4}, at::kDouble).requires_grad_(true);
  const at::Tensor k3 = kl_estimate(KlEstimator::kK3, logprob, at::zeros({4}, at::kDouble));
  k3.sum().backward();
  const auto value = grpo::testing::values(k3), slope = grpo::testing::values(logprob.grad());
  const double bound = std::exp(20.0);
  EXPECT_NEAR(value[0] / (bound * (1e4 - 19)), 1, 1e-6);
  EXPECT_NEAR(value[1] / value[2], 1, 1e-8);
  EXPECT_NEAR(slope[0] / -(bound - 1), 1, 1e-12);
  EXPECT_NEAR(slope[2] / -(bound - 1), 1, 1e-6);
  EXPECT_NEAR(value[3], 1e4 - 1, 1e-9);
  EXPECT_NEAR(slope[3], 1, 1e-12);
}

}  // namespace
