#include "grpo/algorithm/dpo.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::dpo_loss;
using grpo::DpoConfig;
using grpo::PreferenceLoss;
using grpo::PreferencePair;
using grpo::testing::numbers;
using grpo::testing::values;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Point {
  double loss, chosen_grad, rejected_grad;
  grpo::Tallies metrics;
};

/// One pair with h = `margin`, of two in the step.
Point at_margin(double margin, const DpoConfig& config) {
  const at::Tensor chosen = numbers({-3 + margin}).requires_grad_(true), rejected = numbers({-2}).requires_grad_(true);
  const auto out = dpo_loss(chosen, rejected, numbers({-3}), numbers({-2}), 2, config);
  out.loss.backward();
  return {out.loss.item<double>(), chosen.grad().item<double>(), rejected.grad().item<double>(), out.metrics};
}

// Oracle: by hand, eq. 7 of arXiv 2305.18290.
TEST(Dpo, Sigmoid) {
  const Point p = at_margin(1.5, {.dpo_beta = 0.4});
  EXPECT_NEAR(p.loss, -std::log(sigmoid(0.6)) / 2, 1e-12);
  EXPECT_NEAR(p.chosen_grad, -0.4 * sigmoid(-0.6) / 2, 1e-12);
  EXPECT_NEAR(p.rejected_grad, 0.4 * sigmoid(-0.6) / 2, 1e-12);
  EXPECT_NEAR(p.metrics.at("rewards/chosen").result(), 0.6, 1e-12);
  EXPECT_NEAR(p.metrics.at("rewards/rejected").result(), 0, 1e-12);
  EXPECT_NEAR(p.metrics.at("rewards/margins").result(), 0.6, 1e-12);
  EXPECT_EQ(p.metrics.at("rewards/accuracies").result(), 1);
  const Point smooth = at_margin(1.5, {.dpo_beta = 0.4, .label_smoothing = 0.1});
  EXPECT_NEAR(smooth.loss, (-0.9 * std::log(sigmoid(0.6)) - 0.1 * std::log(sigmoid(-0.6))) / 2, 1e-12);
}

// Oracle: by hand, eq. 17 of arXiv 2310.12036: the margin is pulled to 1 / (2 β) from both sides.
TEST(Dpo, Ipo) {
  const DpoConfig config{.dpo_beta = 0.4, .preference_loss = PreferenceLoss::kIpo};
  EXPECT_NEAR(at_margin(1.5, config).loss, 0.25 * 0.25 / 2, 1e-12);
  EXPECT_NEAR(at_margin(1.5, config).chosen_grad, 0.25, 1e-12);
  EXPECT_NEAR(at_margin(1.0, config).chosen_grad, -0.25, 1e-12);
  EXPECT_EQ(at_margin(1.25, config).chosen_grad, 0.0);
}

// Property: margins of ±1e4 leave loss and gradient finite.
TEST(Dpo, StaysFinite) {
  for (const auto loss : {PreferenceLoss::kSigmoid, PreferenceLoss::kIpo}) {
    for (const double margin : {1e4, -1e4}) {
      const Point p = at_margin(margin, {.preference_loss = loss, .label_smoothing = 0.1});
      EXPECT_TRUE(std::isfinite(p.loss) && std::isfinite(p.chosen_grad) && std::isfinite(p.rejected_grad));
    }
  }
}

// Oracle: by hand.
TEST(BradleyTerry, ByHand) {
  const at::Tensor chosen = numbers({1, 0}).requires_grad_(true), rejected = numbers({0.5, 2}).requires_grad_(true);
  const auto out = grpo::bradley_terry_loss(chosen, rejected, 2, 0.1);
  out.loss.backward();
  EXPECT_NEAR(out.loss.item<double>(), -(std::log(sigmoid(0.4)) + std::log(sigmoid(-2.1))) / 2, 1e-12);
  EXPECT_NEAR(chosen.grad()[0].item<double>(), -sigmoid(-0.4) / 2, 1e-12);
  EXPECT_NEAR(rejected.grad()[1].item<double>(), sigmoid(2.1) / 2, 1e-12);
  EXPECT_EQ(out.metrics.at("rewards/accuracies").result(), 0.5);
}

// Oracle: by hand; what is outside the mask counts for nothing.
TEST(SequenceLogprobs, SumsAndAverages) {
  auto batch = grpo::make_batch(grpo::testing::make_rollouts({2, 3}, 2), {});
  batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F, 1.0F});
  const at::Tensor logprobs = numbers({-1, -2, -3, std::numeric_limits<double>::quiet_NaN(), -5});
  EXPECT_EQ(values(grpo::sequence_logprobs(logprobs, batch)), (std::vector<double>{-3, -8}));
  EXPECT_EQ(values(grpo::sequence_logprobs(logprobs, batch, true)), (std::vector<double>{-1.5, -4}));
  EXPECT_THROW(grpo::sequence_logprobs(numbers({1}), batch), grpo::Error);
}

// Oracle: by hand. Group 1 is constant, group 2 has one verdict.
TEST(PreferencePairs, BestAndWorstOfEachGroup) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto pairs = grpo::preference_pairs(numbers({0, 1, nan, 1, 0.7, 0.7, nan, 3}), {0, 0, 0, 0, 1, 1, 2, 2});
  EXPECT_EQ(pairs, (std::vector<PreferencePair>{{.chosen = 1, .rejected = 0}}));
}

TEST(Dpo, BadInputIsRefused) {
  EXPECT_THROW(dpo_loss(numbers({1}), numbers({1, 2}), numbers({1}), numbers({1}), 1), grpo::Error);
  EXPECT_THROW(grpo::bradley_terry_loss(numbers({1}), {}, 1), grpo::Error);
  EXPECT_THROW(grpo::preference_pairs(numbers({1}), {0, 1}), grpo::Error);
}

}  // namespace
