#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "grpo/algorithm/adaptive_entropy.h"
#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/correction.h"
#include "grpo/algorithm/loss.h"
#include "parity.h"
#include "samples.h"

namespace {

using grpo::Batch;
using grpo::LossConfig;
using grpo::testing::FixtureConfig;
using grpo::testing::near;
using grpo::testing::number;
using grpo::testing::optional_number;
using nlohmann::json;

/// One fixture case as a batch. Fixture tables are [B][T]; `ragged` keeps each row's completion and lays the rows end to end, [M].
class Case {
 public:
  explicit Case(const json& test)
      : test_(test),
        config_(test.at("config"), "grpo-loss"),
        inputs_(test.at("inputs")),
        expected_(test.at("expected")),
        loss_config_(grpo::testing::loss_config(config_, test.at("sampler_correction"))),
        max_completion_length_(config_.take("max_completion_length")),
        steps_per_generation_(config_.take("steps_per_generation")),
        gradient_accumulation_steps_(config_.take("gradient_accumulation_steps")) {
    make_batch();
  }
  void check();

 private:
  void make_batch();
  at::Tensor ragged(const json& rows) const;
  at::Tensor input(const char* name) const { return inputs_.at(name).is_null() ? at::Tensor() : ragged(inputs_.at(name)); }
  int64_t num_parts() const { return evaluating() ? 1 : steps_per_generation_; }
  double accumulation() const { return evaluating() ? 1 : gradient_accumulation_steps_; }
  bool evaluating() const { return test_.at("mode") == "eval"; }
  grpo::LossNormalizer trl_normalizer(const Batch& part, const at::Tensor& entropy) const;
  void check_part(int64_t number, const Batch& part, const at::Tensor& logprobs, const at::Tensor& entropy);
  void check_metrics(int64_t number, const grpo::Tallies& metrics) const;
  void check_sampling_metrics() const;
  void check_ratio() const;
  void check_adaptive_entropy(double entropy);

  const json& test_;
  const FixtureConfig config_;
  const json& inputs_;
  const json& expected_;
  LossConfig loss_config_;
  int64_t max_completion_length_, steps_per_generation_;
  double gradient_accumulation_steps_;
  std::vector<grpo::Rollout> rollouts_;
  Batch batch_;
  grpo::Tallies window_;
};

at::Tensor Case::ragged(const json& rows) const {
  std::vector<double> flat;
  for (size_t row = 0; row < rollouts_.size(); ++row) {
    for (size_t t = 0; t < rollouts_[row].ids.size(); ++t) flat.push_back(number(rows.at(row).at(t)));
  }
  return at::tensor(flat, at::kDouble).to(at::kFloat);
}

void Case::make_batch() {
  const auto group_size = config_.take<int64_t>("num_generations");
  const auto& prompts = inputs_.at("prompt_ids");
  std::vector<int64_t> groups;
  std::vector<double> rewards;
  for (size_t row = 0; row < prompts.size(); ++row) {
    grpo::Rollout rollout;
    rollout.group = static_cast<int64_t>(row) / group_size;
    rollout.prompt_ids = prompts[row].get<std::vector<int32_t>>();
    rollout.ids = inputs_.at("completion_ids")[row].get<std::vector<int32_t>>();
    const bool ended = rollout.ids.back() == inputs_.at("eos_token_id") || rollout.ids.back() == inputs_.at("pad_token_id");
    rollout.finish = ended ? grpo::FinishReason::kStop : grpo::FinishReason::kLength;
    rollouts_.push_back(rollout);
    groups.push_back(rollout.group);
    for (const auto& value : inputs_.at("rewards_per_func")[row]) rewards.push_back(number(value));
  }
  const at::Tensor table = at::tensor(rewards, at::kDouble).reshape({static_cast<int64_t>(groups.size()), -1});
  const at::Tensor advantages = grpo::group_advantages(table, groups, grpo::testing::advantage_config(config_));
  for (size_t row = 0; row < groups.size(); ++row) {
    EXPECT_NEAR(advantages[static_cast<int64_t>(row)].item<double>(), number(expected_.at("advantages")[row]), 1e-4);
  }
  batch_ = grpo::make_batch(rollouts_, advantages, {.mask_truncated_completions = config_.take("mask_truncated_completions")});
  EXPECT_TRUE(batch_.mask.equal(ragged(expected_.at("completion_mask"))));
  if (!inputs_.at("tool_mask").is_null()) batch_.mask = batch_.mask * input("tool_mask");
  EXPECT_EQ(batch_.mask.sum().item<double>(), expected_.at("num_items_in_batch").get<double>());
  batch_.old_logprobs = input("old_per_token_logps");
  batch_.ref_logprobs = input("ref_per_token_logps");
  batch_.sampling_logprobs = input("sampling_per_token_logps");
}

/// TRL divides by figures of the micro-batch times the accumulation steps, or by the tokens of the generation batch.
grpo::LossNormalizer Case::trl_normalizer(const Batch& part, const at::Tensor& entropy) const {
  auto normalizer = grpo::loss_normalizer(part, max_completion_length_);
  if (loss_config_.top_entropy_quantile < 1) {
    grpo::set_entropy_threshold(normalizer, entropy, part.mask, loss_config_.top_entropy_quantile);
  }
  const double steps = accumulation() / (evaluating() ? 1.0 : static_cast<double>(num_parts()));
  normalizer.tokens = batch_.mask.sum().item<double>() * steps;
  normalizer.sequences *= accumulation();
  normalizer.micro_batches = accumulation();
  normalizer.entropy_tokens *= accumulation();
  return normalizer;
}

void Case::check_part(int64_t number_of_part, const Batch& part, const at::Tensor& logprobs, const at::Tensor& entropy) {
  const auto out = grpo::policy_loss(logprobs, entropy, part, trl_normalizer(part, entropy), loss_config_);
  EXPECT_NEAR(out.loss.item<double>(), number(expected_.at("losses")[static_cast<size_t>(number_of_part)]), 1e-5);
  out.loss.backward();
  check_metrics(number_of_part, out.metrics);
  grpo::merge(window_, out.metrics);
}

void Case::check_metrics(int64_t number_of_part, const grpo::Tallies& metrics) const {
  for (const auto& [name, list] : expected_.at("metrics").items()) {
    // of completions and rewards: not the loss's; entropy_coef is logged once a window
    if (name.starts_with("completions/") || name.starts_with("reward") || name.starts_with("frac_") || name == "entropy_coef") continue;
    if (name.starts_with("sampling/")) continue;  // of the generation batch: check_sampling_metrics
    ASSERT_TRUE(metrics.contains(name)) << name;
    double value = metrics.at(name).result();
    const auto scope = grpo::loss_row(loss_config_.loss_type);
    const bool divided =
        scope.surrogate != grpo::Surrogate::kCispo && scope.surrogate != grpo::Surrogate::kVespo && scope.type != grpo::LossType::kDapo;
    if (name == "policy_loss" && divided) value *= accumulation();  // TRL logs it before it divides by the accumulation
    const double expected = number(list.at(static_cast<size_t>(number_of_part)));
    EXPECT_TRUE(near(value, expected, 1e-5)) << name << " " << value << " expected " << expected;
  }
}

/// TRL measures these once, over all parts.
void Case::check_sampling_metrics() const {
  for (const auto& [name, list] : expected_.at("metrics").items()) {
    if (!name.starts_with("sampling/")) continue;
    ASSERT_TRUE(window_.contains(name)) << name;
    const double value = window_.at(name).result(), expected = number(list.at(0));
    EXPECT_TRUE(near(value, expected, 1e-5)) << name << " " << value << " expected " << expected;
  }
}

void Case::check_ratio() const {
  const auto& rows = expected_.at("importance_sampling_ratio");
  if (rows.is_null()) return;
  const at::Tensor ratio = grpo::importance_sampling_ratio(batch_.old_logprobs, batch_, loss_config_);
  if (rows[0].size() == 1 && ratio.size(0) == batch_.num_sequences()) {
    for (size_t row = 0; row < rows.size(); ++row) {
      EXPECT_NEAR(ratio[static_cast<int64_t>(row)].item<double>(), number(rows[row][0]), 1e-5 * (1 + number(rows[row][0])));
    }
  } else {
    EXPECT_LE(grpo::testing::largest_difference(ratio, ragged(rows)), 1e-5);
  }
}

void Case::check_adaptive_entropy(double entropy) {
  if (!expected_.contains("entropy_coef_after")) return;
  grpo::AdaptiveEntropy adaptive(grpo::testing::loss_config(config_, false));
  adaptive.update(entropy);
  EXPECT_NEAR(adaptive.state().coefficient, number(expected_.at("entropy_coef_after")), 1e-9);
  EXPECT_NEAR(adaptive.state().last_entropy, number(expected_.at("last_world_entropy")), 1e-5);
}

void Case::check() {
  const at::Tensor logprobs = input("per_token_logps").requires_grad_(true);
  const at::Tensor entropy = input("entropies").requires_grad_(true);
  if (test_.at("sampler_correction")) check_ratio();
  const FixtureConfig set(test_.at("set_after_init"), "grpo-loss: set_after_init");
  if (loss_config_.use_adaptive_entropy) {
    grpo::AdaptiveEntropy adaptive(loss_config_);
    if (set.has("_last_world_entropy")) adaptive.restore({loss_config_.entropy_coef, number(set.take("_last_world_entropy"))});
    loss_config_.entropy_coef = adaptive.applied();
  }
  const int64_t rows = batch_.num_sequences() / num_parts();
  int64_t pair = 0;
  for (int64_t part = 0; part < num_parts(); ++part) {
    std::vector<int64_t> chosen;
    for (int64_t row = part * rows; row < (part + 1) * rows; ++row) chosen.push_back(row);
    const Batch micro = batch_.select(chosen);
    check_part(part, micro, logprobs.narrow(0, pair, micro.num_pairs()), entropy.narrow(0, pair, micro.num_pairs()));
    pair += micro.num_pairs();
  }
  EXPECT_LE(grpo::testing::largest_difference(logprobs.grad(), ragged(expected_.at("grad_per_token_logps"))), 1e-6);
  const at::Tensor entropy_grad = entropy.grad().defined() ? entropy.grad() : at::zeros_like(entropy);
  const auto& expected_entropy_grad = expected_.at("grad_entropies");
  EXPECT_LE(grpo::testing::largest_difference(entropy_grad,
                                              expected_entropy_grad.is_null() ? at::zeros_like(entropy) : ragged(expected_entropy_grad)),
            1e-6);
  check_sampling_metrics();
  if (window_.contains("bonus_entropy")) check_adaptive_entropy(window_.at("bonus_entropy").result());
}

// Oracle: TRL 1.16's own numbers, through its normaliser.
TEST(ParityTrlLoss, EveryCase) {
  GRPO_REQUIRE_DATA(grpo::testing::trl_dir());
  int cases = 0;
  for (const auto& [file, content] : grpo::testing::trl_files("grpo-loss")) {
    for (const auto& test : content.at("cases")) {
      SCOPED_TRACE(file + ": " + test.at("name").get<std::string>());
      Case(test).check();
      ++cases;
    }
  }
  EXPECT_GT(cases, 0);
}

}  // namespace
