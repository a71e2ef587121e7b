#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "grpo/algorithm/loss.h"
#include "loss_rows.h"
#include "samples.h"

namespace {

using grpo::LossConfig;
using grpo::LossType;
using grpo::testing::config_of;
using grpo::testing::values;

struct SurrogatePoint {
  double loss, grad;
  grpo::Tallies metrics;
};

/// Loss and d loss / d logprob of a single token with log-prob log(ratio), old log-prob 0 and the given advantage.
SurrogatePoint one_token(const LossConfig& config, double ratio, double advantage) {
  grpo::Rollout rollout;
  rollout.prompt_ids = {1};
  rollout.ids = {2};
  auto batch = grpo::make_batch({rollout}, at::tensor({advantage}));
  batch.old_logprobs = at::zeros({1});
  const at::Tensor logprob = at::tensor({std::log(ratio)}, at::kDouble).requires_grad_(true);
  const auto out = grpo::policy_loss(logprob, {}, batch, grpo::loss_normalizer(batch, 1), config);
  out.loss.backward();
  return {out.loss.item<double>(), logprob.grad().item<double>(), out.metrics};
}

struct Row {
  double ratio, advantage, loss, grad;
};

void expect_rows(const LossConfig& config, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const SurrogatePoint point = one_token(config, row.ratio, row.advantage);
    EXPECT_NEAR(point.loss, row.loss, 1e-7) << "ratio " << row.ratio << " advantage " << row.advantage;
    EXPECT_NEAR(point.grad, row.grad, 1e-7) << "ratio " << row.ratio << " advantage " << row.advantage;
  }
}

// Oracle: by hand. Between the bounds −r A with gradient −r A; beyond them constant for the sign that would gain by going on.
TEST(ClipSurrogate, Boundaries) {
  expect_rows(
      {.epsilon = 0.2, .epsilon_high = 0.28},
      {{1.27, 1, -1.27, -1.27}, {1.29, 1, -1.28, 0}, {0.5, 1, -0.5, -0.5}, {0.81, -1, 0.81, 0.81}, {0.79, -1, 0.8, 0}, {7, -2, 14, 14}});
  expect_rows({.epsilon = 0.2}, {{1.19, 1, -1.19, -1.19}, {1.21, 1, -1.2, 0}});  // epsilon_high defaults to epsilon
}

TEST(ClipSurrogate, DeltaBoundsNegativeAdvantages) {
  expect_rows({.delta = 3.0}, {{7, -2, 6, 0}, {2.9, -2, 5.8, 5.8}, {1.1, 1, -1.1, -1.1}, {7, 1, -1.2, 0}});
}

TEST(ClipSurrogate, CountsWhatItClips) {
  const auto share = [](const SurrogatePoint& point, const char* name) { return point.metrics.at(name).result(); };
  const SurrogatePoint high = one_token({}, 1.3, 1), low = one_token({}, 0.7, -1), harmless = one_token({}, 1.3, -1);
  EXPECT_EQ(share(high, "clip_ratio/high_mean"), 1);
  EXPECT_EQ(share(high, "clip_ratio/high_max"), 1);
  EXPECT_EQ(share(high, "clip_ratio/low_mean"), 0);
  EXPECT_EQ(share(high, "clip_ratio/region_mean"), 1);
  EXPECT_EQ(share(low, "clip_ratio/low_mean"), 1);
  EXPECT_EQ(share(low, "clip_ratio/low_min"), 1);
  EXPECT_EQ(share(low, "clip_ratio/region_mean"), 1);
  EXPECT_EQ(share(harmless, "clip_ratio/region_mean"), 0);
}

// Oracle: by hand. Of three sequences one is clipped below, one is half clipped, and one, all masked, says nothing.
TEST(ClipSurrogate, MaskedSequencesAreNotCounted) {
  auto batch = grpo::make_batch(grpo::testing::make_rollouts({1, 2, 1}, 3), at::tensor({-1.0, -1.0, -1.0}));
  batch.mask = at::tensor({1.0F, 1.0F, 1.0F, 0.0F});
  batch.old_logprobs = at::tensor({0.0F, 0.0F, -1.0F, -1.0F});
  const auto metrics = grpo::policy_loss(at::full({4}, -1.0), {}, batch, grpo::loss_normalizer(batch, 1), {}).metrics;
  EXPECT_EQ(metrics.at("clip_ratio/low_min").result(), 0.5);
  EXPECT_EQ(metrics.at("clip_ratio/low_mean").result(), 2.0 / 3);
  EXPECT_EQ(metrics.at("clip_ratio/high_max").result(), 0);
}

// Oracle: by hand. The weight is min(r, cap), detached; no token loses its gradient.
TEST(CispoSurrogate, CapsTheWeightOnly) {
  LossConfig config = config_of(grpo::loss_row(LossType::kCispo));
  config.epsilon_high = 2.0;
  expect_rows(config, {{1.5, 1, -1.5 * std::log(1.5), -1.5},
                       {4, 1, -2 * std::log(4.0), -2},
                       {4, -1, 2 * std::log(4.0), 2},
                       {0.1, -1, 0.1 * std::log(0.1), 0.1}});
  EXPECT_EQ(one_token(config, 4, 1).metrics.at("cispo_clip_ratio").result(), 1);
  EXPECT_EQ(one_token(config, 4, -1).metrics.at("cispo_clip_ratio").result(), 0);
}

// Oracle: by hand, f(r) = 4 / τ · σ(τ (r − 1)): f(1) = 2 / τ, and f'(r) = 4 σ (1 − σ).
TEST(SapoSurrogate, SoftGate) {
  LossConfig config = config_of(grpo::loss_row(LossType::kSapo));
  config.sapo_temperature_pos = 1.5, config.sapo_temperature_neg = 2.0;
  const double gate = 1 / (1 + std::exp(-1.5 * 0.4));
  expect_rows(config, {{1, 1, -2 / 1.5, -1}, {1, -1, 1, 1}, {1.4, 1, -4 / 1.5 * gate, -1.4 * 4 * gate * (1 - gate)}});
}

// Oracle: by hand, φ = exp(λ + k q − λ e^q), q = log r for one token.
TEST(VespoSurrogate, GammaWeight) {
  const LossConfig config = config_of(grpo::loss_row(LossType::kVespo));
  const auto phi = [](double ratio, double k, double lambda) { return std::exp(lambda + k * std::log(ratio) - lambda * ratio); };
  expect_rows(config,
              {{1.4, 1, -phi(1.4, 2, 3) * std::log(1.4), -phi(1.4, 2, 3)}, {1.4, -1, phi(1.4, 3, 2) * std::log(1.4), phi(1.4, 3, 2)}});
  EXPECT_NEAR(one_token(config, 1.4, 1).metrics.at("vespo/phi_seq_mean").result(), phi(1.4, 2, 3), 1e-7);
}

/// vespo's φ of a sequence with those log-ratios, from the gradient −φ A / N of a token.
double vespo_weight(const std::vector<float>& log_ratios, const LossConfig& config, const std::vector<float>& sampling = {}) {
  grpo::Rollout rollout;
  rollout.prompt_ids = {1};
  rollout.ids.assign(log_ratios.size(), 2);
  auto batch = grpo::make_batch({rollout}, at::tensor({1.0}));
  batch.old_logprobs = at::zeros({static_cast<int64_t>(log_ratios.size())});
  if (!sampling.empty()) batch.sampling_logprobs = at::tensor(sampling);
  const at::Tensor logprobs = at::tensor(log_ratios, at::kDouble).requires_grad_(true);
  grpo::policy_loss(logprobs, {}, batch, grpo::loss_normalizer(batch, 1), config).loss.backward();
  return -logprobs.grad()[0].item<double>() * static_cast<double>(log_ratios.size());
}

// Oracle: by hand. Log-ratios are bounded by ±20 per token, their sum by log 1e-8 and 20; the sampler's ratio is bounded likewise.
TEST(VespoSurrogate, BoundsItsLogWeights) {
  LossConfig config = config_of(grpo::loss_row(LossType::kVespo));
  config.vespo_k_pos = 0.1, config.vespo_lambda_pos = 0;  // φ = exp(q / 10)
  EXPECT_NEAR(vespo_weight({-30, 19}, config), std::exp(-0.1), 1e-9);
  EXPECT_NEAR(vespo_weight({-20, -20}, config), std::exp(0.1 * std::log(1e-8)), 1e-9);
  EXPECT_NEAR(vespo_weight({20, 20}, config), std::exp(2.0), 1e-9);
  config.importance_sampling_correction = true;
  config.importance_sampling_mode = grpo::CorrectionMode::kTokenMask;
  EXPECT_NEAR(vespo_weight({19, 0}, config, {-5, 0}), std::exp(0.1 * (19 + std::log(1e-8))), 1e-9);  // e^5 exceeds the cap: ratio 0
}

/// Weight of a token by definition: T tokens of its sequence in the loss, N and B of the batch, L the constant length.
double weight(grpo::Aggregation aggregation, double length, double tokens, double sequences, double constant) {
  switch (aggregation) {
    case grpo::Aggregation::kSequenceMean:
      return 1 / (length * sequences);
    case grpo::Aggregation::kTokenMean:
      return 1 / tokens;
    case grpo::Aggregation::kSequenceSum:
      return 1 / sequences;
    case grpo::Aggregation::kConstantLength:
      return 1 / (sequences * constant);
  }
  return 0;
}

/// Whether its gradient flows through the ratio.
bool moves_the_ratio(grpo::Surrogate surrogate) { return surrogate == grpo::Surrogate::kClip || surrogate == grpo::Surrogate::kSapo; }

// Property: at ratio 1 (with and without old log-probs) every row and level has the policy gradient −w A of its aggregation.
TEST(RatioOne, EveryRowIsThePolicyGradient) {
  auto problem = grpo::testing::make_problem({3, 1, 4, 2, 7, 1}, 3, at::kDouble, 21);
  grpo::Batch& batch = problem.batch;
  const auto masks = values(batch.mask), advantages = values(batch.advantages);
  std::vector<double> lengths(6, 0.0);
  double tokens = 0;
  for (size_t i = 0; i < masks.size(); ++i) lengths[static_cast<size_t>(batch.sequence_of[i])] += masks[i], tokens += masks[i];
  for (const bool known : {false, true}) {
    batch.old_logprobs = known ? problem.logprobs.detach() : at::Tensor();
    for (const auto& row : grpo::loss_table()) {
      for (const auto level : grpo::testing::levels_of(row)) {
        LossConfig config = config_of(row, level);
        config.clip_cov_min = 1e6, config.clip_cov_max = 1e7;  // clip_cov: none is left out
        problem.logprobs.mutable_grad() = at::Tensor();
        grpo::policy_loss(problem.logprobs, {}, batch, grpo::testing::step_normalizer(problem, config), config).loss.backward();
        const auto grad = values(problem.logprobs.grad());
        for (size_t i = 0; i < masks.size(); ++i) {
          const double length = lengths[static_cast<size_t>(batch.sequence_of[i])];
          const bool shared = level == grpo::ImportanceSamplingLevel::kSequenceSum && moves_the_ratio(row.surrogate);
          const double share = weight(row.aggregation, length, tokens, 6, 16) * (shared ? length : 1.0);  // each token moves all terms
          const double expected = masks[i] == 0 ? 0 : -share * advantages[i];
          EXPECT_NEAR(grad[i], expected, 1e-12) << row.name << " pair " << i;
        }
      }
    }
  }
}

// Oracle: by hand. Two tokens with log-ratios ±a: the sequence ratio is exp(mean) = 1, so nothing is clipped, and both tokens share A / 2.
TEST(SequenceLevel, RatioIsTheGeometricMean) {
  grpo::Rollout rollout;
  rollout.prompt_ids = {1};
  rollout.ids = {2, 3};
  auto batch = grpo::make_batch({rollout}, at::tensor({1.0}));
  batch.old_logprobs = at::tensor({-1.0, -1.0});
  const at::Tensor logprobs = at::tensor({-0.5, -1.5}, at::kDouble).requires_grad_(true);
  const LossConfig config = config_of(grpo::loss_row(LossType::kGrpo), grpo::ImportanceSamplingLevel::kSequence);
  const auto out = grpo::policy_loss(logprobs, {}, batch, grpo::loss_normalizer(batch, 1), config);
  out.loss.backward();
  EXPECT_NEAR(out.loss.item<double>(), -1, 1e-12);
  EXPECT_NEAR(logprobs.grad()[0].item<double>(), -0.5, 1e-12);
  EXPECT_NEAR(logprobs.grad()[1].item<double>(), -0.5, 1e-12);
}

}  // namespace
