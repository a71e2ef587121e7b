#include "grpo/algorithm/prime.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::Batch;
using grpo::PrimeConfig;
using grpo::PrimeForm;
using grpo::testing::kNan;
using grpo::testing::largest_difference;
using grpo::testing::numbers;
using grpo::testing::values;

Batch batch_of(const std::vector<int64_t>& lengths, int64_t group_size) {
  return grpo::make_batch(grpo::testing::make_rollouts(lengths, group_size), {});
}

void expect_prime(const at::Tensor& tensor, const std::vector<double>& expected) { grpo::testing::expect_values(tensor, expected, 2e-6); }

// Oracle: by hand, β (lp − ref) summed to logits −0.1 and 0.2.
TEST(PrimeLoss, IsTheCrossEntropyOfTheSum) {
  Batch batch = batch_of({2, 1, 1}, 3);
  batch.ref_logprobs = at::tensor({-1.0F, -2.0F, -1.0F, -1.0F});
  const at::Tensor logprobs = numbers({-2, -3, 3, 8}).requires_grad_(true);
  const auto out = grpo::prime_loss(logprobs, numbers({0, 1, kNan}), batch, grpo::loss_normalizer(batch, 1), {.prime_beta = 0.05});
  out.loss.backward();
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_NEAR(out.loss.item<double>(), (-std::log(1 - sigmoid(-0.1)) - std::log(sigmoid(0.2))) / 3, 1e-7);
  expect_prime(logprobs.grad(),
               {0.05 * sigmoid(-0.1) / 3, 0.05 * sigmoid(-0.1) / 3, 0.05 * (sigmoid(0.2) - 1) / 3, 0});  // unknown: left out
  EXPECT_EQ(out.metrics.at("prime/accuracy").result(), 1.0);
  EXPECT_EQ(out.metrics.at("prime/loss").count, 2);
}

// Property: log-ratios of ±1e4 leave a finite loss and gradient; what is masked has none.
TEST(PrimeLoss, StaysFinite) {
  Batch batch = batch_of({2, 2}, 2);
  batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F});
  batch.ref_logprobs = at::tensor({1e4F, 1e4F, -1e4F, std::numeric_limits<float>::quiet_NaN()});
  const at::Tensor logprobs = at::zeros({4}).requires_grad_(true);
  const auto out = grpo::prime_loss(logprobs, numbers({1, 0}), batch, grpo::loss_normalizer(batch, 1));
  out.loss.backward();
  EXPECT_TRUE(std::isfinite(out.loss.item<double>()));
  EXPECT_TRUE(logprobs.grad().isfinite().all().item<bool>());
  EXPECT_EQ(logprobs.grad()[3].item<float>(), 0);
}

// Oracle: by hand, eq. 5 with K = 3. Token means {0.2, 0.6, −0.3}; baselines of the process {0.15, −0.05, 0.4}; outcomes {1, 0, 0}.
TEST(PrimeAdvantages, PaperByHand) {
  const Batch batch = batch_of({2, 1, 1}, 3);
  const at::Tensor process = numbers({0.1, 0.3, 0.6, -0.3}), outcome = numbers({1, 0, 0});
  const auto a = grpo::prime_advantages(process, outcome, batch);
  expect_prime(a, {-0.05 + 0.15 + 1, 0.15 + 1, 0.65 - 0.5, -0.7 - 0.5});
  const auto discounted = grpo::prime_advantages(process, outcome, batch, {.gamma = 0.5});
  expect_prime(discounted.narrow(0, 0, 1), {-0.05 + 0.5 * 0.15 + 1});
}

// Oracle: by hand, K = 2. What is masked counts neither in a mean nor in a return: means {0.2, 0.5}.
TEST(PrimeAdvantages, CountsTheLossAlone) {
  Batch batch = batch_of({3, 1}, 2);
  batch.mask = at::tensor({1.0F, 1.0F, 0.0F, 1.0F});
  const auto a = grpo::prime_advantages(numbers({0.1, 0.3, 7, 0.5}), numbers({1, 0}), batch);
  expect_prime(a, {-0.4 - 0.2 + 1, -0.2 + 1, 0, 0.3 - 1});
}

// Oracle: the two others by hand, K = 2: a completion that is masked whole has no process rewards, so it is in no baseline of them. Its
// outcome counts.
TEST(PrimeAdvantages, MaskedCompletionsAreLeftOutOfTheProcessBaseline) {
  Batch batch = batch_of({1, 1, 2}, 3);
  batch.mask = at::tensor({1.0F, 1.0F, 0.0F, 0.0F});
  expect_prime(grpo::prime_advantages(numbers({0.2, 0.6, 7, 7}), numbers({1, 0, 0}), batch), {-0.4 + 1, 0.4 - 0.5, 0, 0});
  batch.mask = at::tensor({1.0F, 0.0F, 0.0F, 0.0F});  // nothing to compare the process with
  expect_prime(grpo::prime_advantages(numbers({0.2, 0.6, 7, 7}), numbers({1, 0, 0}), batch), {1, 0, 0, 0});
}

// Oracle: by hand. r / 0.6 (the largest return to go), then K/(K−1) r − Σ of all means / (K−1), sums, outcomes, z-score over the tokens.
TEST(PrimeAdvantages, RepositoryByHand) {
  const Batch batch = batch_of({2, 1, 1}, 3);
  const at::Tensor process = numbers({0.1, 0.3, 0.6, -0.3}), outcome = numbers({1, 0, 0});
  std::vector<double> r{0.1 / 0.6, 0.3 / 0.6, 1, -0.5};
  const double sum = (r[0] + r[1]) / 2 + r[2] + r[3];
  for (double& value : r) value = 1.5 * value - sum / 2;
  const std::vector<double> raw{r[0] + r[1] + 1, r[1] + 1, r[2] - 0.5, r[3] - 0.5};
  const double mean = (raw[0] + raw[1] + raw[2] + raw[3]) / 4;
  double squares = 0;
  for (const double value : raw) squares += (value - mean) * (value - mean);
  std::vector<double> expected;
  for (const double value : raw) expected.push_back((value - mean) / (std::sqrt(squares / 3) + 1e-4));
  const PrimeConfig config{.prime_form = PrimeForm::kRepository};
  expect_prime(grpo::prime_advantages(process, outcome, batch, config), expected);
  expect_prime(grpo::prime_advantages(process * 20, outcome, batch, config), expected);  // the factor beta drops out
}

// Property: without a known outcome, or another one in the group, there is no signal and no baseline for others.
TEST(PrimeAdvantages, UndefinedAndAlone) {
  const Batch batch = batch_of({1, 1, 1, 1, 1}, 3);  // groups of three and two
  const at::Tensor process = numbers({0.2, 0.4, 9, 1, 1});
  for (const auto form : {PrimeForm::kPaper, PrimeForm::kRepository}) {
    const auto a = values(grpo::prime_advantages(process, numbers({1, 0, kNan, 1, kNan}), batch, {.prime_form = form}));
    EXPECT_EQ(a[2], 0.0);
    EXPECT_EQ(a[3], 0.0);
    EXPECT_EQ(a[4], 0.0);
  }
  expect_prime(grpo::prime_advantages(process, numbers({1, 0, kNan, 1, kNan}), batch), {0.8, -0.8, 0, 0, 0});
}

// Property: equal outcomes and no process rewards give exactly 0.
TEST(PrimeAdvantages, EqualOutcomesAreZero) {
  const Batch batch = batch_of({2, 1, 3}, 3);
  for (const auto form : {PrimeForm::kPaper, PrimeForm::kRepository}) {
    const auto a = grpo::prime_advantages(at::zeros({6}), at::full({3}, 0.7), batch, {.prime_form = form});
    EXPECT_TRUE(a.eq(0).all().item<bool>());
  }
}

TEST(Prime, BadInputIsRefused) {
  const Batch batch = batch_of({2}, 1);
  EXPECT_THROW(grpo::prime_advantages(numbers({1}), numbers({1}), batch), grpo::Error);
  EXPECT_THROW(grpo::prime_advantages(numbers({1, 1}), numbers({1, 1}), batch), grpo::Error);
  EXPECT_THROW(grpo::prime_loss(at::zeros({2}), numbers({1}), batch, {}), grpo::Error);  // no reference
}

}  // namespace
