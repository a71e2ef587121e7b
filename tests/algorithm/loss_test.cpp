#include "grpo/algorithm/loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/algorithm/correction.h"
#include "grpo/core/error.h"
#include "loss_rows.h"
#include "samples.h"

namespace {

using grpo::Batch;
using grpo::CorrectionMode;
using grpo::LossConfig;
using grpo::testing::largest_difference;
using grpo::testing::make_problem;
using grpo::testing::Problem;
using grpo::testing::values;

constexpr float kFloatNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

grpo::LossOutput run(const Problem& problem, const LossConfig& config) {
  auto out = grpo::policy_loss(problem.logprobs, problem.entropy, problem.batch, grpo::testing::step_normalizer(problem, config), config);
  problem.logprobs.mutable_grad() = at::zeros_like(problem.logprobs);
  problem.entropy.mutable_grad() = at::zeros_like(problem.entropy);
  out.loss.backward();
  return out;
}

/// `values` where the batch's mask is 1, `filler` elsewhere.
at::Tensor spoil(const at::Tensor& values, const at::Tensor& mask, float filler) {
  return at::where(mask > 0, values.detach(), at::full({}, filler, values.options()));
}

// Property: whatever stands outside the mask (padding of 0, −inf, NaN, ±1e4), loss, gradients and metrics are the same, and its gradient
// is exactly 0.
TEST(Mask, NothingOutsideItMatters) {
  const Problem clean = make_problem({3, 1, 4, 2, 7, 1}, 3, at::kFloat, 31);
  const at::Tensor mask = clean.batch.mask;
  for (const auto& row : grpo::loss_table()) {
    for (const auto& [name, config] : grpo::testing::variants_of(row)) {
      SCOPED_TRACE(name);
      const auto expected = run(clean, config);
      for (const float filler : {0.0F, -kInfinity, kFloatNan, 1e4F, -1e4F}) {
        Problem spoilt = clean;
        spoilt.batch.old_logprobs = spoil(clean.batch.old_logprobs, mask, filler);
        spoilt.batch.ref_logprobs = spoil(clean.batch.ref_logprobs, mask, filler);
        spoilt.batch.sampling_logprobs = spoil(clean.batch.sampling_logprobs, mask, filler);
        spoilt.batch.advantages = spoil(clean.batch.advantages, mask, filler);
        spoilt.batch.draws = spoil(clean.batch.draws, mask, filler);
        spoilt.logprobs = spoil(clean.logprobs, mask, filler * 2).requires_grad_(true);
        spoilt.entropy = spoil(clean.entropy, mask, filler).requires_grad_(true);
        const auto out = run(spoilt, config);
        EXPECT_EQ(out.loss.item<float>(), expected.loss.item<float>()) << filler;
        EXPECT_TRUE(spoilt.logprobs.grad().equal(clean.logprobs.grad())) << filler;
        EXPECT_TRUE(spoilt.entropy.grad().equal(clean.entropy.grad())) << filler;
        EXPECT_TRUE(spoilt.logprobs.grad().masked_select(mask == 0).eq(0).all().item<bool>());
        for (const auto& [metric, tally] : expected.metrics) {
          if (metric.starts_with("vespo") || metric.starts_with("sampling/importance")) continue;  // of whole sequences; covered by parity
          EXPECT_EQ(out.metrics.at(metric).result(), tally.result()) << metric << " " << filler;
        }
      }
    }
  }
}

// Property: a masked pair is as good as absent, for every row at token level (sequence ratios average over what is in the loss).
TEST(Mask, MaskedTailEqualsShorterCompletion) {
  auto rollouts = grpo::testing::make_rollouts({5, 5}, 2);
  const at::Tensor advantages = at::tensor({1.0, -0.7});
  Batch masked = grpo::make_batch(rollouts, advantages);
  masked.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F, 0.0F, 1.0F, 1.0F, 1.0F, 0.0F, 0.0F});
  for (auto& rollout : rollouts) rollout.ids.resize(3);
  Batch shorter = grpo::make_batch(rollouts, advantages);
  const at::Tensor old = at::linspace(-3, -1, 10), current = old + at::linspace(-0.4, 0.4, 10);
  const at::Tensor kept = masked.mask > 0;
  masked.old_logprobs = old;
  shorter.old_logprobs = old.masked_select(kept);
  masked.draws = at::linspace(0, 0.9, 10);
  shorter.draws = masked.draws.masked_select(kept);
  for (const auto& row : grpo::loss_table()) {
    for (const auto level : grpo::testing::levels_of(row)) {
      const auto config = grpo::testing::config_of(row, level);
      const auto loss = [&](const Batch& batch, const at::Tensor& logprobs) {
        return grpo::policy_loss(logprobs, {}, batch, grpo::testing::step_normalizer({batch, logprobs, {}}, config), config);
      };
      const auto a = loss(masked, current), b = loss(shorter, current.masked_select(kept));
      EXPECT_NEAR(a.loss.item<double>(), b.loss.item<double>(), 1e-6) << row.name;
    }
  }
}

// Property: a step without a token in the loss has loss and gradient 0.
TEST(Mask, NothingInTheLoss) {
  Problem problem = make_problem({3, 1}, 2, at::kFloat, 34);
  problem.batch.mask.zero_();
  for (const auto& row : grpo::loss_table()) {
    for (const auto& [name, config] : grpo::testing::variants_of(row)) {
      EXPECT_EQ(run(problem, config).loss.item<float>(), 0) << name;
      EXPECT_TRUE(problem.logprobs.grad().eq(0).all().item<bool>()) << name;
      EXPECT_TRUE(problem.entropy.grad().eq(0).all().item<bool>()) << name;
    }
  }
}

// Property: log-ratios of ±1e4 to the old, reference and sampling policies leave loss and gradient finite.
TEST(LogRatios, HugeOnesStayFinite) {
  for (const float far : {1e4F, -1e4F}) {
    for (const auto& row : grpo::loss_table()) {
      for (const auto& [name, config] : grpo::testing::variants_of(row)) {
        Problem problem = make_problem({3, 1, 4, 2}, 2, at::kFloat, 32);
        problem.batch.mask.fill_(1);
        for (at::Tensor* other : {&problem.batch.old_logprobs, &problem.batch.ref_logprobs, &problem.batch.sampling_logprobs}) {
          *other = problem.logprobs.detach().clone();
          other->narrow(0, 0, 5).add_(other == &problem.batch.sampling_logprobs ? -far : far);
        }
        const auto out = run(problem, config);
        EXPECT_TRUE(std::isfinite(out.loss.item<float>())) << name << " " << far;
        EXPECT_TRUE(problem.logprobs.grad().isfinite().all().item<bool>()) << name << " " << far;
      }
    }
  }
}

Problem two_sequences() {
  Problem problem;
  problem.batch = grpo::make_batch(grpo::testing::make_rollouts({2, 1}, 2), at::tensor({1.0, -1.0}));
  problem.logprobs = at::tensor({-1.0, -2.0, -1.5}, at::kDouble).requires_grad_(true);
  problem.entropy = at::tensor({0.5, 2.0, 1.0}, at::kDouble).requires_grad_(true);
  return problem;
}

// Oracle: by hand, log-ratios old − sampling of log 2 and −log 4 | log 3.
TEST(SamplerCorrection, FourModes) {
  Problem problem = two_sequences();
  problem.batch.sampling_logprobs = at::tensor({-1 - std::log(2.0), -2 + std::log(4.0), -1.5 - std::log(3.0)}, at::kFloat);
  const auto ratio = [&](CorrectionMode mode, std::optional<double> low, std::optional<double> high) {
    LossConfig config{.importance_sampling_mode = mode};
    config.importance_sampling_clip_min = low, config.importance_sampling_clip_max = high;
    std::vector<double> rounded = values(grpo::importance_sampling_ratio(problem.logprobs, problem.batch, config));
    for (double& value : rounded) value = std::round(value * 1e5) / 1e5;
    return rounded;
  };
  EXPECT_EQ(ratio(CorrectionMode::kTokenTruncate, 0.5, 2.5), (std::vector<double>{2, 0.5, 2.5}));
  EXPECT_EQ(ratio(CorrectionMode::kTokenMask, 0.5, 2.5), (std::vector<double>{2, 0, 0}));
  EXPECT_EQ(ratio(CorrectionMode::kSequenceTruncate, std::nullopt, 2.5), (std::vector<double>{0.5, 2.5}));
  EXPECT_EQ(ratio(CorrectionMode::kSequenceMask, 0.6, std::nullopt), (std::vector<double>{0, 3}));
  problem.batch.sampling_logprobs[0] = kFloatNan;  // unknown: counts as 1
  EXPECT_EQ(ratio(CorrectionMode::kTokenTruncate, std::nullopt, std::nullopt), (std::vector<double>{1, 0.25, 3}));
  problem.batch.sampling_logprobs[2] = -1e4F;  // log-ratios are bounded by 20
  EXPECT_NEAR(ratio(CorrectionMode::kTokenTruncate, std::nullopt, std::nullopt)[2], std::exp(20.0), 1.0);
  problem.batch.sampling_logprobs[2] = static_cast<float>(-1.5 - std::log(3.0));
  problem.batch.mask[1] = 0;  // outside the mask: 1
  EXPECT_EQ(ratio(CorrectionMode::kSequenceTruncate, std::nullopt, std::nullopt), (std::vector<double>{1, 3}));
}

// Oracle: by hand. The ratio multiplies the policy term, not the KL, and carries no gradient.
TEST(SamplerCorrection, WeightsThePolicyTermOnly) {
  Problem problem = two_sequences();
  problem.batch.sampling_logprobs = at::tensor({-1 - std::log(2.0), -2 + std::log(4.0), -1.5 - std::log(3.0)}, at::kFloat);
  problem.batch.ref_logprobs = at::tensor({-0.5F, -2.5F, -1.0F});
  LossConfig config{.beta = 0.1, .use_bias_correction_kl = false};
  config.importance_sampling_clip_max = std::nullopt;
  run(problem, config);
  const auto grad = values(problem.logprobs.grad());
  const std::vector<double> ratio{2, 0.25, 3}, advantage{1, 1, -1}, x{0.5, -0.5, 0.5};
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(grad[i], (-ratio[i] * advantage[i] + 0.1 * (1 - std::exp(x[i]))) / 3, 1e-6);
}

// Oracle: by hand. Only the sequence of negative advantage that drifted by more than the threshold loses its policy term.
TEST(OffPolicyMask, DropsDriftedSequencesOfNegativeAdvantage) {
  Problem problem = two_sequences();
  problem.batch.old_logprobs = at::tensor({0.0F, -1.0F, -0.9F});  // drifts 1 (advantage 1) and 0.6 (advantage −1)
  for (const auto& [threshold, kept] : {std::pair{0.5, false}, std::pair{0.7, true}}) {
    LossConfig config = grpo::testing::config_of(grpo::loss_row(grpo::LossType::kCispo));
    config.off_policy_mask_threshold = threshold;
    run(problem, config);
    const auto grad = values(problem.logprobs.grad());
    EXPECT_NEAR(grad[0], -std::exp(-1.0) / 3, 1e-6);
    EXPECT_NEAR(grad[2], kept ? std::exp(-0.6) / 3 : 0.0, 1e-6);
  }
}

// Oracle: by hand. The second sequence drifted by 1.2 at its first token, unknown (0) at its second, and anything outside the mask.
TEST(OffPolicyMask, AveragesOverTheLoss) {
  Problem problem;
  problem.batch = grpo::make_batch(grpo::testing::make_rollouts({1, 4}, 2), at::tensor({1.0, -1.0}));
  problem.batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F, 0.0F});
  problem.batch.sampling_logprobs = at::tensor({-2.0F, -0.8F, kFloatNan, 50.0F, -50.0F});
  problem.entropy = at::zeros({5}, at::kDouble).requires_grad_(true);
  problem.logprobs = at::full({5}, -2.0, at::kDouble).requires_grad_(true);
  for (const auto& [threshold, kept] : {std::pair{0.5, false}, std::pair{0.7, true}}) {
    run(problem, {.importance_sampling_correction = false, .off_policy_mask_threshold = threshold});
    const double grad = kept ? 1.0 / 3 : 0.0;
    EXPECT_LE(largest_difference(problem.logprobs.grad(), at::tensor({-1.0 / 3, grad, grad, 0.0, 0.0}, at::kDouble)), 1e-12) << threshold;
  }
}

// Oracle: by hand. Of entropies {0.5, 2, 1} the upper half starts at the median 1; the denominator stays all tokens.
TEST(TopEntropy, KeepsTheUncertainTokens) {
  const Problem problem = two_sequences();
  LossConfig config;
  config.top_entropy_quantile = 0.5, config.entropy_coef = 0.3;
  const auto normalizer = grpo::testing::step_normalizer(problem, config);
  EXPECT_EQ(normalizer.entropy_threshold, 1.0);
  EXPECT_EQ(normalizer.entropy_tokens, 2.0);
  const auto out = run(problem, config);
  EXPECT_LE(largest_difference(problem.logprobs.grad(), at::tensor({0.0, -1.0 / 3, 1.0 / 3}, at::kDouble)), 1e-12);
  EXPECT_LE(largest_difference(problem.entropy.grad(), at::tensor({0.0, -0.15, -0.15}, at::kDouble)), 1e-12);
  EXPECT_NEAR(out.metrics.at("bonus_entropy").result(), 1.5, 1e-12);
  EXPECT_NEAR(out.metrics.at("entropy").result(), 3.5 / 3, 1e-12);
  EXPECT_NEAR(out.loss.item<double>(), out.metrics.at("policy_loss").result() - 0.3 * 1.5, 1e-12);
}

// Oracle: by hand, with linear interpolation between the two middle values; only those in the mask count.
TEST(TopEntropy, ThresholdInterpolates) {
  grpo::LossNormalizer normalizer;
  const at::Tensor entropy = at::tensor({4.0F, 1.0F, 99.0F, 2.0F, 3.0F}), mask = at::tensor({1.0F, 1.0F, 0.0F, 1.0F, 1.0F});
  grpo::set_entropy_threshold(normalizer, entropy, mask, 0.5);
  EXPECT_EQ(normalizer.entropy_threshold, 2.5);
  EXPECT_EQ(normalizer.entropy_tokens, 2.0);
  grpo::set_entropy_threshold(normalizer, entropy, mask, 0.0);
  EXPECT_EQ(normalizer.entropy_threshold, 4.0);
  grpo::set_entropy_threshold(normalizer, entropy, at::zeros({5}), 0.5);
  EXPECT_EQ(normalizer.entropy_tokens, 0.0);
}

TEST(PolicyLoss, BadInputIsRefused) {
  const Problem good = make_problem({2, 3}, 2, at::kFloat, 33);
  const auto refuses = [&](const at::Tensor& logprobs, const at::Tensor& entropy, const Batch& batch, const LossConfig& config) {
    EXPECT_THROW(grpo::policy_loss(logprobs, entropy, batch, grpo::loss_normalizer(good.batch, 16), config), grpo::Error);
  };
  refuses({}, {}, good.batch, {});
  refuses(good.logprobs.narrow(0, 0, 4), {}, good.batch, {});
  refuses(good.logprobs.to(at::kHalf), {}, good.batch, {});
  refuses(good.logprobs, {}, good.batch, {.entropy_coef = 0.1});
  refuses(good.logprobs, good.entropy, good.batch, {.top_entropy_quantile = 0.5});  // no threshold
  refuses(good.logprobs, {}, good.batch, {.loss_type = grpo::LossType::kCispo});    // no epsilon_high
  for (at::Tensor Batch::*member : {&Batch::advantages, &Batch::mask}) {
    Batch batch = good.batch;
    batch.*member = at::Tensor();
    refuses(good.logprobs, {}, batch, {});
  }
  refuses(good.logprobs, {}, good.batch, {.loss_type = grpo::LossType::kKlCov});  // no statistics of the step
  for (at::Tensor Batch::*member : {&Batch::old_logprobs, &Batch::sampling_logprobs, &Batch::ref_logprobs}) {
    Batch batch = good.batch;
    batch.*member = at::zeros({1});
    refuses(good.logprobs, {}, batch, {.beta = 0.1});
  }
}

}  // namespace
