// The losses beyond the clipped family, the levels of the ratio, and policy terms from outside the library.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "grpo/algorithm/loss.h"
#include "grpo/core/error.h"
#include "loss_rows.h"
#include "samples.h"

namespace {

using grpo::Batch;
using grpo::ImportanceSamplingLevel;
using grpo::LossConfig;
using grpo::LossNormalizer;
using grpo::LossType;
using grpo::testing::config_of;
using grpo::testing::largest_difference;
using grpo::testing::values;

LossConfig config_for(LossType type, ImportanceSamplingLevel level = ImportanceSamplingLevel::kToken) {
  LossConfig config = config_of(grpo::loss_row(type), level);
  config.clip_cov_ratio = config.kl_cov_ratio = 2e-4, config.clip_cov_min = 1;
  return config;
}

/// One sequence of the given log-ratios (old log-probs are 0) with the given advantages, one per token or one for all.
struct Sequence {
  Sequence(const std::vector<double>& log_ratios, const std::vector<double>& advantages)
      : logprobs(at::tensor(log_ratios, at::kDouble).requires_grad_(true)) {
    grpo::Rollout rollout;
    rollout.prompt_ids = {1};
    rollout.ids.assign(log_ratios.size(), 2);
    batch = grpo::make_batch({rollout}, at::tensor(advantages));
    batch.old_logprobs = at::zeros({static_cast<int64_t>(log_ratios.size())});
    batch.draws = at::linspace(0.1, 0.9, static_cast<int64_t>(log_ratios.size()));
  }

  grpo::LossOutput run(const LossConfig& config) {
    normalizer = grpo::testing::step_normalizer({batch, logprobs, {}}, config);
    logprobs.mutable_grad() = at::Tensor();
    auto out = grpo::policy_loss(logprobs, {}, batch, normalizer, config);
    out.loss.backward();
    return out;
  }

  void expect(const LossConfig& config, double loss, const std::vector<double>& grad) {
    EXPECT_NEAR(run(config).loss.item<double>(), loss, 1e-7);
    const auto actual = values(logprobs.grad());
    for (size_t i = 0; i < grad.size(); ++i) EXPECT_NEAR(actual[i], grad[i], 1e-7) << i;
  }

  Batch batch;
  at::Tensor logprobs;
  LossNormalizer normalizer;
};

// Oracle: by hand. Log-ratios 0.9 (bounded to 0.5), −0.3 and 0: s = exp(0.2 / 3); the bounded token has no gradient of its own.
TEST(GmpoSurrogate, BoundsLogRatiosBeforeAveraging) {
  LossConfig config = config_for(LossType::kGmpo);
  config.epsilon = 0.4, config.epsilon_high = 0.5;
  const double s = std::exp(0.2 / 3);
  Sequence({0.9, -0.3, 0}, {2}).expect(config, -2 * s, {0, -2 * s / 3, -2 * s / 3});
  const double low = std::exp((0.9 - 0.4 + 0) / 3);  // A < 0: −0.9 is bounded to −0.4, 0.9 is not
  Sequence({0.9, -0.9, 0}, {-1}).expect(config, low, {low / 3, 0, low / 3});
  EXPECT_NEAR(Sequence({0.9, -0.3, 0}, {2}).run(config).metrics.at("clip_ratio/high_mean").result(), 1.0 / 3, 1e-12);
  EXPECT_NEAR(Sequence({0.9, -0.9, 0}, {-1}).run(config).metrics.at("clip_ratio/low_mean").result(), 1.0 / 3, 1e-12);
}

// Oracle: by hand, −A log p and nothing else, however old the samples.
TEST(ReinforceSurrogate, HasNoRatio) {
  Sequence({1.5, -0.5}, {2, -3}).expect(config_for(LossType::kReinforce), -(2 * 1.5 + 3 * 0.5) / 2, {-1, 1.5});
}

TEST(PpoRow, IsDapo) {
  Sequence one({0.5, -0.5, 0.1}, {1, -1, 1}), other = one;
  const double loss = one.run(config_for(LossType::kPpo)).loss.item<double>();
  const at::Tensor grad = one.logprobs.grad().clone();
  EXPECT_EQ(loss, other.run(config_for(LossType::kDapo)).loss.item<double>());
  EXPECT_TRUE(grad.equal(other.logprobs.grad()));
}

// Oracle: by hand. Advantages {3, 0, −3, 0} and log-probs {1, 0, −1, 0} have means 0: covariances {3, 0, 3, 0}. The first token is clipped
// already (ratio e with A > 0), so the third, though its draw is larger, is the one that is left out.
TEST(ClipCovSurrogate, LeavesOutTokensOfHighCovariance) {
  Sequence sequence({1, 0, -1, 0}, {3, 0, -3, 0});
  LossConfig config = config_for(LossType::kClipCov);
  config.clip_cov_ratio = 0.25, config.epsilon = 0.9;
  const auto out = sequence.run(config);
  EXPECT_NEAR(out.loss.item<double>(), -3 * 1.9 / 4, 1e-7);
  EXPECT_LE(sequence.logprobs.grad().abs().max().item<double>(), 1e-12);  // the first by the clip, the third by choice
  EXPECT_EQ(out.metrics.at("clip_cov_ratio").result(), 0.25);
  config.clip_cov_max = 2;  // out of the range: nothing is left out
  EXPECT_EQ(sequence.run(config).metrics.at("clip_cov_ratio").result(), 0.0);
  EXPECT_NEAR(sequence.logprobs.grad()[2].item<double>(), 3 * std::exp(-1.0) / 4, 1e-7);
  config.clip_cov_max = 5, config.clip_cov_min = 3;
  EXPECT_EQ(sequence.run(config).metrics.at("clip_cov_ratio").result(), 0.0);
}

// Oracle: by hand. Of two eligible tokens the smaller draw goes, at any share that is one token; at a share of all, both.
TEST(ClipCovSurrogate, DrawsAmongTheEligible) {
  Sequence sequence({0.1, 0, -0.1, 0}, {30, 0, -30, 0});
  LossConfig config = config_for(LossType::kClipCov);
  sequence.run(config);
  EXPECT_EQ(sequence.normalizer.covariance->threshold, sequence.batch.draws[0].item<float>());
  EXPECT_EQ(sequence.logprobs.grad()[0].item<double>(), 0.0);
  EXPECT_NE(sequence.logprobs.grad()[2].item<double>(), 0.0);
  config.clip_cov_ratio = 1;
  sequence.run(config);
  EXPECT_TRUE(sequence.logprobs.grad().eq(0).all().item<bool>());
}

// Oracle: by hand. Means 1 and 0.25 give covariances {5.25, 0, 1.875, 1.125}: the first token is held back by its
// |log-ratio|, whose slope is its sign; no token is clipped.
TEST(KlCovSurrogate, HoldsBackTheHighestCovariance) {
  Sequence sequence({2, 0.5, -1, -0.5}, {4, 1, -0.5, -0.5});
  LossConfig config = config_for(LossType::kKlCov);
  config.kl_cov_ratio = 0.25, config.kl_cov_coef = 0.7;
  const auto out = sequence.run(config);
  const std::vector<double> r{std::exp(2.0), std::exp(0.5), std::exp(-1.0), std::exp(-0.5)};
  EXPECT_NEAR(out.loss.item<double>(), (-4 * r[0] + 0.7 * 2 - r[1] + 0.5 * r[2] + 0.5 * r[3]) / 4, 1e-6);
  const auto grad = values(sequence.logprobs.grad());
  EXPECT_NEAR(grad[0], (-4 * r[0] + 0.7) / 4, 1e-6);
  EXPECT_NEAR(grad[1], -r[1] / 4, 1e-6);
  EXPECT_EQ(out.metrics.at("kl_cov_ratio").result(), 0.25);
}

// A share of 0 is no token, not one.
TEST(Covariance, AShareOfZeroChoosesNothing) {
  Sequence sequence({2, 0.5, -1, -0.5}, {4, 1, -0.5, -0.5});
  LossConfig config = config_for(LossType::kKlCov);
  config.kl_cov_ratio = 0;
  EXPECT_EQ(sequence.run(config).metrics.at("kl_cov_ratio").result(), 0.0);
  Sequence drawn({0.1, 0, -0.1, 0}, {30, 0, -30, 0});
  config = config_for(LossType::kClipCov);
  config.clip_cov_ratio = 0;
  EXPECT_EQ(drawn.run(config).metrics.at("clip_cov_ratio").result(), 0.0);
}

// Oracle: by hand, statistics of arXiv 2505.22617 over the tokens in the loss alone.
TEST(Covariance, CountsTheLossAlone) {
  Sequence sequence({1, 3, 100}, {1, 5, 100});
  sequence.batch.mask = at::tensor({1.0F, 1.0F, 0.0F});
  LossConfig config = config_for(LossType::kKlCov);
  sequence.run(config);
  EXPECT_EQ(sequence.normalizer.covariance->advantage_mean, 3);
  EXPECT_EQ(sequence.normalizer.covariance->logprob_mean, 2);
  EXPECT_EQ(sequence.normalizer.covariance->threshold, 2);  // both have (∓2) (∓1) = 2
  LossNormalizer empty;
  grpo::set_covariance(empty, at::zeros({0, 3}), config);
  EXPECT_TRUE(empty.covariance.has_value());
  EXPECT_THROW(grpo::policy_loss(sequence.logprobs, {}, sequence.batch, grpo::loss_normalizer(sequence.batch, 1), config), grpo::Error);
  sequence.batch.draws = at::Tensor();
  EXPECT_THROW(sequence.run(config_for(LossType::kClipCov)), grpo::Error);
}

// Oracle: by hand. Log-ratios 0.3 and −0.1: s = e^0.1. GSPO: both tokens move s; GSPO-token: each its own term; RLOO: the product e^0.2.
TEST(RatioLevel, SequenceForms) {
  const double s = std::exp(0.1), product = std::exp(0.2) > 1.2 ? 1.2 : std::exp(0.2);
  Sequence sequence({0.3, -0.1}, {2});
  sequence.expect(config_for(LossType::kGrpo, ImportanceSamplingLevel::kSequence), -2 * s, {-s, -s});
  sequence.expect(config_for(LossType::kGrpo, ImportanceSamplingLevel::kSequenceToken), -2 * s, {-s, -s});
  sequence.expect(config_for(LossType::kGrpo, ImportanceSamplingLevel::kSequenceSum), -2 * product, {0, 0});  // clipped at 1.2
  Sequence varied({0.3, -0.1}, {2, -1});                                                                      // one advantage per token
  varied.expect(config_for(LossType::kGrpo, ImportanceSamplingLevel::kSequence), -s / 2, {-s / 4, -s / 4});
  varied.expect(config_for(LossType::kGrpo, ImportanceSamplingLevel::kSequenceToken), -s / 2, {-s, s / 2});
}

/// PPO's clip, written outside the library.
class OwnClip final : public grpo::PolicyTerm {
 public:
  at::Tensor loss(const grpo::PolicyTermInput& in) const override {
    const at::Tensor bounded = in.ratio.clamp(1 - in.config.epsilon, 1 + in.config.epsilon);
    return -at::minimum(in.ratio * in.advantages, bounded * in.advantages);
  }
};

class WrongShape final : public grpo::PolicyTerm {
 public:
  at::Tensor loss(const grpo::PolicyTermInput& in) const override { return in.ratio.sum(); }
};

// Oracle: the built-in row. Everything around the term (masks, sampler, KL, weights, bonus) is the library's with each legal option.
TEST(CustomLoss, OwnClipEqualsTheBuiltInOne) {
  const auto problem = grpo::testing::make_problem({3, 1, 4, 2}, 2, at::kDouble, 41);
  const OwnClip term;
  for (const auto& row : grpo::loss_table()) {
    if (row.surrogate != grpo::Surrogate::kClip) continue;
    for (auto [name, config] : grpo::testing::variants_of(row)) {
      if (config.delta) continue;  // this term knows no delta
      SCOPED_TRACE(name);
      const auto normalizer = grpo::testing::step_normalizer(problem, config);
      const auto gradient = [&, &config = config](const grpo::PolicyTerm* custom) {
        problem.logprobs.mutable_grad() = at::Tensor();
        grpo::policy_loss(problem.logprobs, problem.entropy, problem.batch, normalizer, config, custom).loss.backward();
        return problem.logprobs.grad().clone();
      };
      const at::Tensor expected = gradient(nullptr);
      config.custom_loss = "own";
      EXPECT_LE(largest_difference(gradient(&term), expected), 1e-15);
    }
  }
}

TEST(CustomLoss, GoesWithItsNameAndHasOneNumberPerPair) {
  const auto problem = grpo::testing::make_problem({3, 1}, 2, at::kDouble, 42);
  const auto run = [&](const LossConfig& config, const grpo::PolicyTerm* custom) {
    grpo::policy_loss(problem.logprobs, {}, problem.batch, grpo::loss_normalizer(problem.batch, 16), config, custom);
  };
  const OwnClip term;
  const WrongShape wrong;
  EXPECT_NO_THROW(run({.custom_loss = "own"}, &term));
  EXPECT_THROW(run({.custom_loss = "own"}, nullptr), grpo::Error);
  EXPECT_THROW(run({}, &term), grpo::Error);
  EXPECT_THROW(run({.custom_loss = "own"}, &wrong), grpo::Error);
}

}  // namespace
