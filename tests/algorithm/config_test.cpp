#include "grpo/algorithm/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "grpo/algorithm/adaptive_entropy.h"
#include "grpo/algorithm/adaptive_kl.h"
#include "grpo/algorithm/tally.h"
#include "grpo/core/config.h"
#include "grpo/core/error.h"

namespace {

using grpo::AdaptiveEntropy;
using grpo::LossConfig;
using grpo::Tally;

std::string refusal(const LossConfig& config) {
  try {
    grpo::validate(config);
  } catch (const grpo::Error& error) {
    EXPECT_EQ(error.kind(), grpo::ErrorKind::kUsage);
    return error.what();
  }
  return "";
}

TEST(LossConfigValidate, NamesEveryContradiction) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_NE(refusal({.loss_type = grpo::LossType::kCispo}).find("epsilon_high"), std::string::npos);
  EXPECT_EQ(refusal({.loss_type = grpo::LossType::kCispo, .epsilon_high = 5.0}), "");
  EXPECT_NE(refusal({.beta = 0.1, .kl_estimator = grpo::KlEstimator::kK1, .use_bias_correction_kl = false}).find("zero"),
            std::string::npos);
  EXPECT_NE(refusal({.beta = 0.1, .kl_estimator = grpo::KlEstimator::kK2}).find("k2"), std::string::npos);
  EXPECT_NE(refusal({.entropy_coef = 2, .use_adaptive_entropy = true}).find("entropy_coef_max"), std::string::npos);
  LossConfig two_faults{.loss_type = grpo::LossType::kSapo, .delta = 2.0};
  two_faults.importance_sampling_clip_min = 3.0;
  EXPECT_NE(refusal(two_faults).find("delta"), std::string::npos);
  EXPECT_NE(refusal(two_faults).find("clip_min"), std::string::npos);
}

TEST(LossConfigValidate, NamesIllegalPairs) {
  using grpo::ImportanceSamplingLevel;
  using grpo::KlEstimator;
  using grpo::LossType;
  using grpo::RejectionMode;
  const auto names = [](const LossConfig& config, const char* word) {
    EXPECT_NE(refusal(config).find(word), std::string::npos) << word << ": " << refusal(config);
  };
  for (const auto type : {LossType::kGmpo, LossType::kReinforce, LossType::kClipCov, LossType::kKlCov}) {
    names({.loss_type = type, .importance_sampling_level = ImportanceSamplingLevel::kSequence}, "importance_sampling_level");
    names({.loss_type = type, .delta = 2.0}, "delta");
    names({.loss_type = type, .custom_loss = "own"}, "custom_loss");
    EXPECT_EQ(refusal({.loss_type = type}), "");
  }
  EXPECT_EQ(refusal({.loss_type = LossType::kPpo, .importance_sampling_level = ImportanceSamplingLevel::kSequenceToken, .delta = 2}), "");
  for (const auto estimator : {KlEstimator::kAbs, KlEstimator::kK1Plus, KlEstimator::kK3Plus}) {
    names({.beta = 0.1, .kl_estimator = estimator}, "use_bias_correction_kl");
    EXPECT_EQ(refusal({.beta = 0.1, .kl_estimator = estimator, .use_bias_correction_kl = false}), "");
    names({.beta = 0.1, .kl_estimator = estimator, .use_kl_in_reward = true}, "kl_estimator k1");
  }
  EXPECT_EQ(refusal({.beta = 0.1, .kl_estimator = KlEstimator::kK1, .use_bias_correction_kl = false, .use_kl_in_reward = true}), "");
  names({.use_adaptive_kl = true}, "beta above 0");
  names({.custom_loss_options = {{"a", "1"}}}, "expected custom_loss");
  names({.clip_cov_min = 5, .clip_cov_max = 1}, "clip_cov_min");
  LossConfig rejection{.rejection_mode = RejectionMode::kK3};
  names(rejection, "rejection_max");
  rejection.rejection_max = 0.01;
  EXPECT_EQ(refusal(rejection), "");
  rejection.rejection_min = 0.9;
  names(rejection, "geometric");
  rejection.rejection_mode = RejectionMode::kGeometric;
  names(rejection, "rejection_min < rejection_max");
}

TEST(AdvantageConfigValidate, NamesIllegalPairs) {
  using grpo::AdvantageConfig;
  using grpo::RewardAggregation;
  const auto refuses = [](const AdvantageConfig& config, const char* word) {
    try {
      grpo::validate(config);
      ADD_FAILURE() << "accepted; expected a fault about " << word;
    } catch (const grpo::Error& error) {
      EXPECT_EQ(error.kind(), grpo::ErrorKind::kUsage);
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  for (const auto& row : grpo::estimator_table())
    EXPECT_NO_THROW(grpo::validate(AdvantageConfig{.advantage_estimator = std::string(row.name)}));
  const auto then_sum = RewardAggregation::kNormalizeThenSum;
  refuses({.multi_objective_aggregation = then_sum, .advantage_estimator = "rloo"}, "normalize_then_sum");
  refuses({.normalize_advantages = true}, "rloo");
  refuses({.scale_rewards = grpo::ScaleRewards::kBatch, .advantage_estimator = "pass_at_k"}, "pass_at_k");
  refuses({.reward_clip_range = {1}}, "reward_clip_range");
  refuses({.reward_clip_range = {1, 1}}, "reward_clip_range");
  refuses({.multi_objective_aggregation = then_sum, .reward_clip_range = {0, 1}}, "reward_clip_range");
  refuses({.pass_k = 0}, "pass_k");
  const LossConfig in_reward{.beta = 0.1, .use_kl_in_reward = true};
  EXPECT_THROW(grpo::validate(in_reward, {.multi_objective_aggregation = then_sum}), grpo::Error);
  EXPECT_THROW(grpo::validate(in_reward, {.advantage_estimator = "process_supervision"}), grpo::Error);
  EXPECT_NO_THROW(grpo::validate(in_reward, {.advantage_estimator = "rloo"}));
  EXPECT_NO_THROW(grpo::validate(LossConfig{}, {.multi_objective_aggregation = then_sum}));
}

/// That a table has one row per value, in order, each with a name of its own and a description; returns the names.
template <class Table, class Value>
std::set<std::string_view> check_table(const Table& table, Value value_of) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(value_of(table[i])), i);
    EXPECT_FALSE(table[i].description.equation.empty() || table[i].description.source.empty() || table[i].description.cost.empty());
    names.insert(table[i].name);
  }
  EXPECT_EQ(names.size(), table.size());
  return names;
}

// The reference names every loss, estimator and KL form that a config can.
TEST(ObjectiveReference, ListsEveryRow) {
  const std::string text = grpo::objective_reference();
  std::set<std::string_view> names = check_table(grpo::loss_table(), [](const auto& row) { return row.type; });
  names.merge(check_table(grpo::estimator_table(), [i = 0](const auto&) mutable { return i++; }));
  names.merge(check_table(grpo::kl_table(), [](const auto& row) { return row.estimator; }));
  for (const auto name : names) EXPECT_NE(text.find("\n| `" + std::string(name) + "` "), std::string::npos) << name;
}

TEST(LossTable, RowsStandInTheOrderOfTheEnum) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < grpo::loss_table().size(); ++i) {
    const auto& row = grpo::loss_table()[i];
    EXPECT_EQ(static_cast<size_t>(row.type), i);
    EXPECT_EQ(&grpo::loss_row(row.type), &row);
    names.insert(row.name);
  }
  EXPECT_EQ(names.size(), grpo::loss_table().size());
}

/// Collects names, and sets every choice to its last value.
class NameVisitor final : public grpo::ConfigVisitor {
 public:
  void field(std::string_view name, bool&, std::string_view) override { add(name); }
  void field(std::string_view name, int64_t&, std::string_view, grpo::Range) override { add(name); }
  void field(std::string_view name, double&, std::string_view, grpo::Range) override { add(name); }
  void field(std::string_view name, std::string&, std::string_view) override { add(name); }
  void field(std::string_view name, std::optional<int64_t>&, std::string_view, grpo::Range) override { add(name); }
  void field(std::string_view name, std::optional<double>&, std::string_view, grpo::Range) override { add(name); }
  void field(std::string_view name, std::vector<std::string>&, std::string_view) override { add(name); }
  void field(std::string_view name, std::vector<double>&, std::string_view) override { add(name); }
  void path(std::string_view name, std::string&, std::string_view) override { add(name); }
  void choice(std::string_view name, int& index, const std::vector<std::string>& values, std::string_view) override {
    add(name);
    index = static_cast<int>(values.size()) - 1;
  }
  void section(std::string_view, std::string_view, const std::function<void(grpo::ConfigVisitor&)>&) override {}
  void list(std::string_view, std::string_view, size_t, const std::function<void(size_t)>&,
            const std::function<void(grpo::ConfigVisitor&, size_t)>&) override {}
  void options(std::string_view, grpo::NamedOptions&, std::string_view) override {}

  std::set<std::string, std::less<>> names;

 private:
  void add(std::string_view name) { EXPECT_TRUE(names.emplace(name).second) << name << " twice"; }
};

// Oracle: TRL's option names.
TEST(DescribeLossConfig, NamesTheOptionsOfTrl) {
  NameVisitor visitor;
  LossConfig loss;
  grpo::AdvantageConfig advantages;
  grpo::describe(visitor, loss);
  grpo::describe(visitor, advantages);
  for (const char* name : {"loss_type",
                           "importance_sampling_level",
                           "epsilon",
                           "epsilon_high",
                           "delta",
                           "beta",
                           "use_bias_correction_kl",
                           "sapo_temperature_pos",
                           "sapo_temperature_neg",
                           "vespo_k_pos",
                           "vespo_lambda_pos",
                           "vespo_k_neg",
                           "vespo_lambda_neg",
                           "top_entropy_quantile",
                           "entropy_coef",
                           "use_adaptive_entropy",
                           "entropy_coef_min",
                           "entropy_coef_max",
                           "entropy_coef_delta",
                           "entropy_target",
                           "off_policy_mask_threshold",
                           "scale_rewards",
                           "multi_objective_aggregation",
                           "reward_weights",
                           "importance_sampling_correction",
                           "importance_sampling_mode",
                           "importance_sampling_clip_max",
                           "importance_sampling_clip_min",
                           "normalize_advantages",
                           "reward_clip_range"}) {
    EXPECT_TRUE(visitor.names.contains(name)) << name;
  }
  EXPECT_EQ(loss.loss_type, grpo::LossType::kKlCov);
  EXPECT_EQ(loss.importance_sampling_level, grpo::ImportanceSamplingLevel::kSequenceSum);
  EXPECT_EQ(loss.rejection_mode, grpo::RejectionMode::kK3);
  EXPECT_EQ(loss.importance_sampling_mode, grpo::CorrectionMode::kSequenceMask);
  EXPECT_EQ(loss.kl_estimator, grpo::KlEstimator::kK3Plus);
  EXPECT_EQ(advantages.scale_rewards, grpo::ScaleRewards::kNone);
}

// Oracle: by hand.
TEST(AdaptiveEntropy, FollowsTheTarget) {
  AdaptiveEntropy adaptive({.entropy_coef = 0.01, .entropy_coef_max = 0.02, .entropy_coef_delta = 0.006, .entropy_target = 1.0});
  EXPECT_EQ(adaptive.applied(), 0.0);  // nothing measured yet
  adaptive.update(0.9);
  EXPECT_DOUBLE_EQ(adaptive.applied(), 0.016);
  adaptive.update(1.0);
  EXPECT_DOUBLE_EQ(adaptive.applied(), 0.02);  // bounded above
  const auto saved = adaptive.state();
  adaptive.update(1.1);
  EXPECT_EQ(adaptive.applied(), 0.0);  // above the target no bonus is paid
  EXPECT_DOUBLE_EQ(adaptive.state().coefficient, 0.014);
  for (int i = 0; i < 5; ++i) adaptive.update(2.0);
  EXPECT_EQ(adaptive.state().coefficient, 0.0);  // bounded below
  adaptive.restore(saved);
  EXPECT_DOUBLE_EQ(adaptive.applied(), 0.02);
}

// Oracle: by hand. An error beyond 20 % counts as 20 %; 500 of 10000 sequences are a twentieth of the horizon.
TEST(AdaptiveKl, FollowsTheTarget) {
  grpo::AdaptiveKl adaptive({.beta = 0.1, .kl_target = 2, .kl_horizon = 10000});
  adaptive.update(2.2, 500);
  EXPECT_DOUBLE_EQ(adaptive.beta(), 0.1 * (1 + 0.1 * 0.05));
  const double saved = adaptive.beta();
  adaptive.update(50, 500);
  EXPECT_DOUBLE_EQ(adaptive.beta(), saved * 1.01);
  adaptive.restore(saved);
  adaptive.update(0, 500);
  EXPECT_DOUBLE_EQ(adaptive.beta(), saved * 0.99);
  adaptive.restore(saved);
  adaptive.update(std::numeric_limits<double>::quiet_NaN(), 500);
  EXPECT_EQ(adaptive.beta(), saved);
  adaptive.update(0, 1e9);
  EXPECT_DOUBLE_EQ(adaptive.beta(), saved * 0.8);  // a horizon at most: beta stays above 0
}

// Oracle: by hand.
TEST(Tally, Merges) {
  grpo::Tallies total;
  grpo::merge(total, {{"mean", {Tally::Kind::kMean, 3, 2}}, {"min", {Tally::Kind::kMin, 5, 1}}, {"empty", {Tally::Kind::kMax, -9, 0}}});
  grpo::merge(total, {{"mean", {Tally::Kind::kMean, 1, 6}}, {"min", {Tally::Kind::kMin, 4, 1}}, {"sum", {Tally::Kind::kSum, 2, 1}}});
  grpo::merge(total, {{"max", {Tally::Kind::kMax, 7, 1}}, {"sum", {Tally::Kind::kSum, 3, 1}}, {"min", {Tally::Kind::kMin, -1, 0}}});
  grpo::merge(total, {{"max", {Tally::Kind::kMax, 6, 1}}});
  EXPECT_EQ(total.at("mean").result(), 0.5);
  EXPECT_EQ(total.at("min").result(), 4);
  EXPECT_EQ(total.at("max").result(), 7);
  EXPECT_EQ(total.at("sum").result(), 5);
  EXPECT_TRUE(std::isnan(total.at("empty").result()));
}

}  // namespace
