#include "grpo/algorithm/gae.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::Batch;
using grpo::gae;
using grpo::GaeConfig;
using grpo::testing::kNan;
using grpo::testing::largest_difference;
using grpo::testing::numbers;
using grpo::testing::values;

Batch batch_of(const std::vector<int64_t>& lengths) {
  return grpo::make_batch(grpo::testing::make_rollouts(lengths, static_cast<int64_t>(lengths.size())), {});
}

void expect_gae(const at::Tensor& tensor, const std::vector<double>& expected) { grpo::testing::expect_values(tensor, expected, 1e-6); }

// Oracle: by hand. δ = {0.9·0.4 − 0.5, 1 − 0.4 | 2 + 0.3}, A_0 = δ_0 + 0.9·0.8·δ_1; the two sequences do not touch.
TEST(Gae, ByHand) {
  const GaeConfig config{.gamma = 0.9, .lambda = 0.8, .lambda_value = 0.5, .whiten_advantages = false};
  const auto out = gae(numbers({0, 1, 2}), numbers({0.5, 0.4, -0.3}), batch_of({2, 1}), config);
  expect_gae(out.advantages, {-0.14 + 0.72 * 0.6, 0.6, 2.3});
  expect_gae(out.returns, {0.5 - 0.14 + 0.45 * 0.6, 1, 2});
}

// Oracle: the sum over all n-step errors, Σ_k (γλ)^k δ_{t+k}, on random numbers.
TEST(Gae, EqualsTheSumOfErrors) {
  const Batch batch = batch_of({5, 3, 1});
  const auto generator = at::detail::createCPUGenerator(3);
  const at::Tensor r = at::randn({9}, generator, at::kDouble), v = at::randn({9}, generator, at::kDouble);
  const auto out = gae(r, v, batch, {.gamma = 0.97, .lambda = 0.9, .lambda_value = 1, .whiten_advantages = false});
  const auto rewards = values(r), value = values(v), advantages = values(out.advantages), returns = values(out.returns);
  const std::vector<size_t> ends{5, 5, 5, 5, 5, 8, 8, 8, 9};
  for (size_t t = 0; t < 9; ++t) {
    double expected = 0, target = 0;
    for (size_t k = t; k < ends[t]; ++k) {
      const double delta = rewards[k] + (k + 1 < ends[t] ? 0.97 * value[k + 1] : 0) - value[k];
      expected += std::pow(0.97 * 0.9, static_cast<double>(k - t)) * delta;
      target += std::pow(0.97, static_cast<double>(k - t)) * rewards[k];  // lambda 1: the discounted return
    }
    EXPECT_NEAR(advantages[t], expected, 1e-6);
    EXPECT_NEAR(returns[t], target, 1e-6);
  }
}

// Oracle: by hand. A tool's token in between is passed over: the sequence is as if it were not there.
TEST(Gae, PassesOverMaskedTokens) {
  Batch batch = batch_of({3});
  batch.mask = at::tensor({1.0F, 0.0F, 1.0F});
  const GaeConfig config{.gamma = 0.9, .lambda = 0.8, .whiten_advantages = false};
  const auto out = gae(numbers({0, 55, 1}), numbers({0.5, 77, 0.4}), batch, config);
  expect_gae(out.advantages, {-0.14 + 0.72 * 0.6, 0, 0.6});
}

// Oracle: by hand, VAPO's 1 − 1 / (0.05 T): negative for T = 5, so 0, and 0.5 for T = 40. With V = 0 and a last reward of 1, A_t =
// λ^(T−1−t).
TEST(Gae, LengthAdaptiveLambda) {
  const Batch batch = batch_of({5, 40});
  const at::Tensor rewards = grpo::outcome_rewards(numbers({1, 1}), batch);
  const auto out = gae(rewards, at::zeros({45}), batch, {.lambda = 0.3, .lambda_length_alpha = 0.05, .whiten_advantages = false});
  const auto a = values(out.advantages);
  EXPECT_EQ(a[3], 0.0);
  EXPECT_EQ(a[4], 1.0);
  EXPECT_NEAR(a[43], 0.5, 1e-7);
  EXPECT_NEAR(a[41], 0.125, 1e-7);
  EXPECT_EQ(values(out.returns)[0], 1.0);  // the critic's lambda is its own
  Batch masked = batch_of({45});
  masked.mask.narrow(0, 0, 5).zero_();  // T = 40 in the loss
  const auto shorter =
      gae(grpo::outcome_rewards(numbers({1}), masked), at::zeros({45}), masked, {.lambda_length_alpha = 0.05, .whiten_advantages = false});
  EXPECT_NEAR(values(shorter.advantages)[43], 0.5, 1e-7);
}

// Oracle: by hand. Returns are those before whitening; whitening counts the tokens in the loss of sequences with a reward.
TEST(Gae, WhitensWhatIsDefined) {
  Batch batch = batch_of({1, 1, 1, 1});
  batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F});
  const auto out = gae(numbers({1, 3, kNan, 50}), at::zeros({4}), batch, {});
  const double unit = 1 / (std::sqrt(2.0) + 1e-4);
  expect_gae(out.advantages, {-unit, unit, 0, 0});
  EXPECT_EQ(values(out.returns)[1], 3.0);
  EXPECT_TRUE(std::isnan(values(out.returns)[2]));
  expect_gae(gae(numbers({2, 2}), at::zeros({2}), batch_of({1, 1}), {}).advantages, {0, 0});
  const auto undefined = gae(numbers({kNan, 1}), at::zeros({2}), batch_of({2}), {.whiten_advantages = false});
  expect_gae(undefined.advantages, {0, 0});  // of one reward, so of the sequence
  EXPECT_TRUE(undefined.returns.isnan().all().item<bool>());
}

// Oracle: by hand.
TEST(OutcomeRewards, StandOnTheLastTokenInTheLoss) {
  Batch batch = batch_of({2, 2});
  batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F});
  expect_gae(grpo::outcome_rewards(numbers({2, 5}), batch), {0, 2, 5, 0});
  expect_gae(grpo::outcome_rewards(numbers({2, 5}), batch, numbers({0.1, 0.2, 0.3, 9})), {0.1, 2.2, 5.3, 0});
  EXPECT_THROW(grpo::outcome_rewards(numbers({2}), batch), grpo::Error);
}

// Oracle: by hand. Errors of V = 1, R = 3: unclipped 4; V_old = 0 and range 0.5 leave 2.5² = 6.25, without gradient; a value that moved
// away from its return (V = −2) has the larger unclipped error.
TEST(ValueLoss, ClipsWhatMovedTooFar) {
  Batch batch = batch_of({3});
  const auto normalizer = grpo::loss_normalizer(batch, 1);
  const at::Tensor v = numbers({1, -2, 0.25}).requires_grad_(true), old = at::zeros({3}), returns = numbers({3, 3, 3});
  const auto out = grpo::value_loss(v, old, returns, batch, normalizer, {.cliprange_value = 0.5});
  out.loss.backward();
  EXPECT_NEAR(out.loss.item<double>(), 0.5 * (6.25 + 25 + 2.75 * 2.75) / 3, 1e-7);
  expect_gae(v.grad(), {0, -5.0 / 3, -2.75 / 3});
  EXPECT_NEAR(out.metrics.at("value/clip_ratio").result(), 1.0 / 3, 1e-12);
  v.mutable_grad() = at::Tensor();
  grpo::value_loss(v, old, returns, batch, normalizer).loss.backward();
  expect_gae(v.grad(), {-2.0 / 3, -5.0 / 3, -2.75 / 3});
}

// Property: what is outside the mask or has no return is nothing to learn, whatever stands there.
TEST(ValueLoss, LeavesOutMaskedAndUndefined) {
  Batch batch = batch_of({3});
  batch.mask = at::tensor({1.0F, 0.0F, 1.0F});
  const at::Tensor v = numbers({1, kNan, 5}).requires_grad_(true);
  const auto out = grpo::value_loss(v, numbers({1, kNan, kNan}), numbers({2, kNan, kNan}), batch, grpo::loss_normalizer(batch, 1),
                                    {.cliprange_value = 9});
  out.loss.backward();
  EXPECT_NEAR(out.loss.item<double>(), 0.25, 1e-12);
  expect_gae(v.grad(), {-0.5, 0, 0});
}

// Property: any cut of a step adds up to the step.
TEST(ValueLoss, AddsUpOverMicroBatches) {
  const Batch batch = batch_of({3, 1, 2});
  const auto generator = at::detail::createCPUGenerator(5);
  const at::Tensor v = at::randn({6}, generator, at::kDouble).requires_grad_(true);
  const at::Tensor old = at::randn({6}, generator, at::kDouble), returns = at::randn({6}, generator, at::kDouble);
  const auto normalizer = grpo::loss_normalizer(batch, 1);
  const GaeConfig config{.cliprange_value = 0.3};
  grpo::value_loss(v, old, returns, batch, normalizer, config).loss.backward();
  const at::Tensor whole = v.grad().clone();
  v.mutable_grad() = at::Tensor();
  int64_t pair = 0;
  for (const std::vector<int64_t>& part : {std::vector<int64_t>{0}, std::vector<int64_t>{1, 2}}) {
    const Batch micro = batch.select(part);
    const auto cut = [&](const at::Tensor& t) { return t.narrow(0, pair, micro.num_pairs()); };
    grpo::value_loss(cut(v), cut(old), cut(returns), micro, normalizer, config).loss.backward();
    pair += micro.num_pairs();
  }
  EXPECT_LE(largest_difference(v.grad(), whole), 1e-15);
}

TEST(Gae, BadInputIsRefused) {
  const Batch batch = batch_of({2});
  EXPECT_THROW(gae(numbers({1}), numbers({1, 2}), batch), grpo::Error);
  EXPECT_THROW(gae(numbers({1, 2}), {}, batch), grpo::Error);
  EXPECT_THROW(grpo::value_loss(numbers({1}), numbers({1, 2}), numbers({1, 2}), batch, {}), grpo::Error);
}

}  // namespace
