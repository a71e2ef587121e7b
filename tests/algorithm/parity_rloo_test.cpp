#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/kl.h"
#include "grpo/algorithm/loss.h"
#include "parity.h"
#include "samples.h"

namespace {

using grpo::testing::FixtureConfig;
using grpo::testing::near;
using grpo::testing::number;
using nlohmann::json;

/// TRL's RLOO in the library's words: leave-one-out, k1 in the reward, ratios of whole sequences, clip, mean over sequences.
grpo::LossConfig rloo_loss_config(const FixtureConfig& config) {
  grpo::LossConfig loss{.loss_type = grpo::LossType::kGrpo, .importance_sampling_level = grpo::ImportanceSamplingLevel::kSequenceSum};
  loss.epsilon = config.take("epsilon");
  loss.epsilon_high = grpo::testing::optional_number(config.take("epsilon_high"));
  loss.beta = config.take("beta");
  loss.kl_estimator = grpo::KlEstimator::kK1;
  loss.use_kl_in_reward = true;
  return loss;
}

grpo::AdvantageConfig rloo_advantage_config(const FixtureConfig& config) {
  grpo::AdvantageConfig advantage{.advantage_estimator = "rloo"};
  advantage.normalize_advantages = config.take("normalize_advantages");
  advantage.reward_clip_range = config.take_or<std::vector<double>>("reward_clip_range", {});
  advantage.reward_weights = config.take_or<std::vector<double>>("reward_weights", {});
  return advantage;
}

std::vector<grpo::Rollout> rollouts_of(const json& inputs, int64_t group_size) {
  std::vector<grpo::Rollout> rollouts;
  for (size_t row = 0; row < inputs.at("prompt_ids").size(); ++row) {
    grpo::Rollout rollout;
    rollout.group = static_cast<int64_t>(row) / group_size;
    rollout.prompt_ids = inputs.at("prompt_ids")[row].get<std::vector<int32_t>>();
    rollout.ids = inputs.at("completion_ids")[row].get<std::vector<int32_t>>();
    const bool ended = rollout.ids.back() == inputs.at("eos_token_id") || rollout.ids.back() == inputs.at("pad_token_id");
    rollout.finish = ended ? grpo::FinishReason::kStop : grpo::FinishReason::kLength;
    rollouts.push_back(std::move(rollout));
  }
  return rollouts;
}

/// A table [B][T] as [M].
at::Tensor ragged(const json& rows, const std::vector<grpo::Rollout>& rollouts) {
  std::vector<double> flat;
  for (size_t row = 0; row < rollouts.size(); ++row) {
    for (size_t t = 0; t < rollouts[row].ids.size(); ++t) flat.push_back(number(rows.at(row).at(t)));
  }
  return at::tensor(flat, at::kDouble);
}

void check_metrics(const json& expected, const grpo::RewardStatistics& statistics, const grpo::Tallies& tallies, bool kl_in_reward) {
  std::map<std::string, double> metrics{{"reward", statistics.reward}, {"reward_std", statistics.reward_std}};
  if (!kl_in_reward) metrics["frac_reward_zero_std"] = statistics.frac_reward_zero_std;  // TRL's counts rewards less KL
  for (size_t f = 0; f < statistics.function_mean.size(); ++f) {
    metrics["rewards/reward" + std::to_string(f) + "/mean"] = statistics.function_mean[f];
    metrics["rewards/reward" + std::to_string(f) + "/std"] = statistics.function_std[f];
  }
  for (const auto& [name, tally] : tallies) metrics[name] = tally.result();
  for (const auto& [name, value] : metrics) {
    ASSERT_TRUE(expected.contains(name)) << name;
    EXPECT_TRUE(near(metrics.at(name), number(expected.at(name)), 1e-5)) << name << " " << value << " expected " << expected.at(name);
  }
}

/// A sequence without a token in the loss has ratio 1 in TRL and adds −A / B, a constant; here it adds nothing.
double masked_constant(const grpo::Batch& batch) {
  double constant = 0;
  for (int64_t sample = 0; sample < batch.num_sequences(); ++sample) {
    const grpo::Batch one = batch.select({sample});
    if (one.mask.sum().item<double>() == 0) constant -= one.advantages[0].item<double>() / static_cast<double>(batch.num_sequences());
  }
  return constant;
}

void check_rloo_case(const json& test) {
  const FixtureConfig config(test.at("config"), "rloo");
  const auto& inputs = test.at("inputs");
  const auto& expected = test.at("expected");
  const auto rollouts = rollouts_of(inputs, config.take("num_generations"));
  auto batch = grpo::make_batch(rollouts, {}, {.mask_truncated_completions = config.take("mask_truncated_completions")});
  EXPECT_TRUE(batch.mask.to(at::kDouble).equal(ragged(expected.at("completion_mask"), rollouts)));
  batch.old_logprobs = ragged(inputs.at("old_per_token_logps"), rollouts);
  if (!inputs.at("ref_per_token_logps").is_null()) batch.ref_logprobs = ragged(inputs.at("ref_per_token_logps"), rollouts);

  std::vector<double> flat;
  for (const auto& row : grpo::testing::table(inputs.at("rewards_per_func"))) flat.insert(flat.end(), row.begin(), row.end());
  const at::Tensor rewards = at::tensor(flat, at::kDouble).reshape({batch.num_sequences(), -1});
  const auto loss = rloo_loss_config(config);
  const auto advantage = rloo_advantage_config(config);
  batch.advantages = grpo::estimate_advantages(
      {.rewards = rewards, .token_rewards = loss.beta > 0 ? grpo::kl_penalty(batch, loss.beta) : at::Tensor()}, batch, advantage);
  const auto advantages = grpo::testing::values(batch.advantages);
  for (size_t pair = 0; pair < advantages.size(); ++pair) {
    EXPECT_NEAR(advantages[pair], number(expected.at("advantages").at(static_cast<size_t>(batch.sequence_of[pair]))), 1e-4);
  }

  const at::Tensor logprobs = ragged(inputs.at("per_token_logps"), rollouts).requires_grad_(true);
  const auto out = grpo::policy_loss(logprobs, ragged(inputs.at("entropies"), rollouts), batch, grpo::loss_normalizer(batch, 1), loss);
  out.loss.backward();
  EXPECT_NEAR(out.loss.item<double>() + masked_constant(batch), number(expected.at("loss")), 1e-5);
  EXPECT_LE(grpo::testing::largest_difference(logprobs.grad(), ragged(expected.at("grad_per_token_logps"), rollouts)), 1e-5);
  check_metrics(expected.at("metrics"), grpo::reward_statistics(rewards, batch.groups, advantage), out.metrics, loss.beta > 0);
}

// Oracle: the numbers of TRL 1.16's RLOOTrainer.
TEST(ParityTrlRloo, EveryCase) {
  GRPO_REQUIRE_DATA(grpo::testing::trl_dir());
  int cases = 0;
  for (const auto& [file, content] : grpo::testing::trl_files("rloo")) {
    for (const auto& test : content.at("cases")) {
      SCOPED_TRACE(file + ": " + test.at("name").get<std::string>());
      check_rloo_case(test);
      ++cases;
    }
  }
  EXPECT_GT(cases, 0);
}

}  // namespace
