#include "grpo/algorithm/correction.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/algorithm/loss.h"
#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::LossConfig;
using grpo::RejectionMode;
using grpo::testing::largest_difference;
using grpo::testing::values;

/// Three sequences with log-ratios old − sampling of 0.1, −0.1 | 0.2, unknown, (outside the mask) 9 | −0.4.
struct Fixture {
  Fixture() {
    batch = grpo::make_batch(grpo::testing::make_rollouts({2, 3, 1}, 3), at::tensor({1.0, 1.0, -1.0}));
    batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 1.0F, 0.0F, 1.0F});
    old = at::full({6}, -1.0, at::kDouble);
    batch.sampling_logprobs = at::tensor({-1.1, -0.9, -1.2, std::numeric_limits<double>::quiet_NaN(), -10.0, -0.6}, at::kDouble);
  }
  std::vector<double> accepted(RejectionMode mode, double high, std::optional<double> low = std::nullopt) const {
    LossConfig config{.rejection_mode = mode};
    config.rejection_max = high, config.rejection_min = low;
    return values(grpo::acceptance(old, batch, config));
  }
  grpo::Batch batch;
  at::Tensor old;
};

using Values = std::vector<double>;

// Oracle: by hand, mean log-ratios 0, 0.1 and −0.4: ratios 1, 1.105 and 0.670.
TEST(Rejection, GeometricMeanOfTheRatios) {
  const Fixture f;
  EXPECT_EQ(f.accepted(RejectionMode::kGeometric, 1.1), (Values{1, 0, 1}));
  EXPECT_EQ(f.accepted(RejectionMode::kGeometric, 1.11), (Values{1, 1, 1}));
  EXPECT_EQ(f.accepted(RejectionMode::kGeometric, 1.11, 0.68), (Values{1, 1, 0}));
}

// Oracle: by hand, |mean log-ratio| 0, 0.1 and 0.4.
TEST(Rejection, K1) {
  const Fixture f;
  EXPECT_EQ(f.accepted(RejectionMode::kK1, 0.09), (Values{1, 0, 0}));
  EXPECT_EQ(f.accepted(RejectionMode::kK1, 0.11), (Values{1, 1, 0}));
  EXPECT_EQ(f.accepted(RejectionMode::kK1, 0.41), (Values{1, 1, 1}));
}

// Oracle: by hand, e^l − l − 1: means 0.0050 (drifts of both signs do not cancel), 0.0107 and 0.0703.
TEST(Rejection, K3) {
  const Fixture f;
  EXPECT_EQ(f.accepted(RejectionMode::kK3, 0.0049), (Values{0, 0, 0}));
  EXPECT_EQ(f.accepted(RejectionMode::kK3, 0.0051), (Values{1, 0, 0}));
  EXPECT_EQ(f.accepted(RejectionMode::kK3, 0.0108), (Values{1, 1, 0}));
  EXPECT_EQ(f.accepted(RejectionMode::kK3, 0.0704), (Values{1, 1, 1}));
}

// Oracle: by hand. A rejected sequence keeps its KL and its place in the denominator, and loses its policy term.
TEST(Rejection, TakesThePolicyTermOnly) {
  Fixture f;
  f.batch.old_logprobs = f.old;
  f.batch.ref_logprobs = f.old - 0.5;
  LossConfig config{.beta = 0.1, .use_bias_correction_kl = false, .importance_sampling_correction = false};
  config.rejection_mode = RejectionMode::kK1, config.rejection_max = 0.2;
  const at::Tensor logprobs = f.old.clone().requires_grad_(true);
  const auto out = grpo::policy_loss(logprobs, {}, f.batch, grpo::loss_normalizer(f.batch, 1), config);
  out.loss.backward();
  const double kl = 0.1 * (1 - std::exp(-0.5)), kept = -1 + kl;
  EXPECT_LE(largest_difference(logprobs.grad(), at::tensor({kept, kept, kept, kept, 0.0, kl}, at::kDouble) / 5), 1e-7);
  EXPECT_NEAR(out.metrics.at("sampling/rejected").result(), 1.0 / 3, 1e-12);
}

// Oracle: by hand. One token's log-ratio counts as −20 at least: mean −10, ratio e^−10, and the k3 mean stays a number.
TEST(Rejection, BoundsLogRatios) {
  Fixture f;
  f.batch.sampling_logprobs = at::tensor({1e4, -1.0, -1.0, -1.0, -1.0, -1.0}, at::kDouble);
  EXPECT_EQ(f.accepted(RejectionMode::kGeometric, 1.1, 4e-5), (Values{1, 1, 1}));
  EXPECT_EQ(f.accepted(RejectionMode::kGeometric, 1.1, 5e-5), (Values{0, 1, 1}));
  EXPECT_EQ(f.accepted(RejectionMode::kK3, 9.51), (Values{1, 1, 1}));
}

TEST(Rejection, NeedsAMode) {
  const Fixture f;
  EXPECT_THROW(grpo::acceptance(f.old, f.batch, {}), grpo::Error);
}

// Oracle: by hand. A sequence's age travels with it through select and split.
TEST(Staleness, TravelsWithItsSequence) {
  auto rollouts = grpo::testing::make_rollouts({1, 2, 1, 1}, 2);
  for (size_t i = 0; i < rollouts.size(); ++i) rollouts[i].weights_version = std::vector<int64_t>{5, 3, 7, 6}[i];
  const auto batch = grpo::make_batch(rollouts, {});
  EXPECT_EQ(batch.select({0, 2, 3}).born_at_step, (std::vector<int64_t>{5, 7, 6}));
  EXPECT_EQ(batch.split({.max_tokens = 1}).at(1).born_at_step, (std::vector<int64_t>{3}));
}

}  // namespace
