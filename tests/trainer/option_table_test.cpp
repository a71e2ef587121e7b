// Every objective × every option of the section `algorithm`: an option is used, so that weights after two steps are others, or the config
// is refused. Oracle: the same run without the option.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/io/json_config.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"

namespace grpo::option_table {
namespace {

using Names = std::vector<std::string>;

struct OptionCase {
  std::string option;  // "algorithm.…=…" without the section, as on a command line
  Names with = {};     // what else the option is about
};

const Names kTwoPasses = {"num_iterations=2"};

const OptionCase kOptions[] = {
    {"loss_type=reinforce", kTwoPasses},
    {"loss_type=sapo", kTwoPasses},
    {"sapo_temperature_neg=0.3", {"loss_type=sapo", "num_iterations=2"}},
    {"vespo_k_neg=5", {"loss_type=vespo", "num_iterations=2"}},
    {"kl_cov_coef=50", {"loss_type=kl_cov", "kl_cov_ratio=0.5", "num_iterations=2"}},
    {"clip_cov_ratio=0.9", {"loss_type=clip_cov", "clip_cov_min=-100", "clip_cov_max=100", "clip_cov_ratio=0.1"}},
    {"importance_sampling_level=sequence", kTwoPasses},
    {"epsilon=0.00001", kTwoPasses},
    {"epsilon_high=0.00001", kTwoPasses},
    {"delta=1.00001", kTwoPasses},
    {"beta=0.5"},
    {"kl_estimator=k2", {"beta=0.5", "use_bias_correction_kl=false"}},
    {"use_bias_correction_kl=false", {"beta=0.5"}},
    {"use_kl_in_reward=true", {"beta=0.5", "kl_estimator=k1", "use_bias_correction_kl=true"}},
    {"use_adaptive_kl=true", {"beta=0.5", "kl_target=1000", "kl_horizon=1"}},
    {"top_entropy_quantile=0.3"},
    {"entropy_coef=0.5"},
    {"use_adaptive_entropy=true", {"entropy_coef=0.5", "entropy_target=1000"}},
    {"importance_sampling_correction=false", kTwoPasses},
    {"importance_sampling_clip_max=0.5"},
    {"off_policy_mask_threshold=0"},
    {"rejection_max=0.0000000000001", {"rejection_mode=k1", "rejection_max=1000", "num_iterations=2"}},
    {"advantage_estimator=rloo"},
    {"advantage_estimator=pass_at_k", {"pass_k=2"}},
    {"pass_k=3", {"advantage_estimator=pass_at_k", "pass_k=2"}},
    {"scale_rewards=none"},
    {"multi_objective_aggregation=normalize_then_sum"},
    {"reward_weights=[-1,2]"},
    {"normalize_advantages=true"},
    {"reward_clip_range=[0.2,0.4]"},
    {"step_reward=even_steps"},
    {"ppo.gamma=0.5"},
    {"ppo.lambda=0.5"},
    {"ppo.vf_coef=3"},
    {"ppo.value_warmup_steps=1"},
    {"ppo.optim.learning_rate=0.1"},
    {"prime.prime_beta=5"},
    {"prime.outcome_reward=length"},
    {"prime.optim.learning_rate=0.1"},
    {"dpo.dpo_beta=1"},
    {"dpo.label_smoothing=0.2"},
    {"dpo.preference_loss=ipo"},
    {"expert_iteration.reward_threshold=0.1"},
    {"expert_iteration.best_of_group=true", {"expert_iteration.reward_threshold=-1"}},
    {"steps_per_generation=2"},
    {"num_iterations=2"},
    {"mask_truncated_completions=true"},
    {"sync_ref_model=true", {"beta=0.5", "ref_model_sync_steps=1"}},
    {"ref_model_mixup_alpha=0.1", {"beta=0.5", "sync_ref_model=true", "ref_model_sync_steps=1"}},
    {"dynamic_sampling=true", {"accuracy_upper_bound=0.5", "dynamic_sampling_reward=even"}},
    {"dynamic_sampling_reward=length", {"dynamic_sampling=true"}},
    {"replay_fraction=0.5", {"replay_max_pass_rate=1"}},
    {"curriculum_max_pass_rate=0.1"},
    {"pass_rate_reward=length", {"curriculum_max_pass_rate=0.1"}},
};

const char* const kObjectives[] = {"grpo", "ppo", "prime", "rloo", "reinforce_plus_plus", "remax", "online_dpo", "expert_iteration"};

Config config_of(const std::string& objective, const Names& options, const std::string& run) {
  Config c = testing::tiny_config("table-" + run);
  c.model.new_model.num_hidden_layers = 1;
  c.model.new_model.extra_tokens = {};
  c.data.train.count = 8;  // an epoch is two rollouts
  c.rollout.sampling.max_completion_length = 6;
  c.optim.learning_rate = 0.05;
  c.optim.lr_scheduler_type = "constant";
  c.trainer.max_steps = 4;
  c.reward[1].weight = 1.0;  // reward_weights may take its place
  c.algorithm.expert_iteration.reward_threshold = objective == "expert_iteration" ? -0.5 : 1.0;
  if (objective == "prime") c.algorithm.prime.outcome_reward = "even";
  ConfigSource source;
  source.add_override("algorithm.objective=" + objective);
  for (const auto& option : options) source.add_override("algorithm." + option);
  read_config(source, c);
  return c;
}

std::vector<at::Tensor> trained(const Config& c) {
  PolicyTrainer trainer(c, {}, testing::registry());
  while (trainer.step()) {
  }
  return testing::weights(trainer.model());
}

/// Whether the config is refused.
bool refused(const Config& c) {
  try {
    validate(c, Command::kTrain);
    return false;
  } catch (const Error&) {
    return true;
  }
}

class OptionTable : public ::testing::TestWithParam<const char*> {};

TEST_P(OptionTable, AnOptionIsUsedOrRefused) {
  std::map<Names, std::vector<at::Tensor>> without;  // by what else is set
  int64_t used = 0;
  for (const OptionCase& given : kOptions) {
    Names with = given.with;
    with.push_back(given.option);
    const Config c = config_of(GetParam(), with, std::string(GetParam()) + "-with");
    if (refused(c) || given.option == "advantage_estimator=" + std::string(GetParam())) continue;
    Config other = config_of(GetParam(), given.with, std::string(GetParam()) + "-without");
    if (refused(other)) other = config_of(GetParam(), {}, std::string(GetParam()) + "-without");  // what it is about needs the option
    const Names key = refused(config_of(GetParam(), given.with, "key")) ? Names() : given.with;
    if (!without.contains(key)) without[key] = trained(other);
    EXPECT_FALSE(testing::equal(trained(c), without.at(key))) << given.option << " is neither used nor refused";
    ++used;
  }
  EXPECT_GT(used, 5);
}

INSTANTIATE_TEST_SUITE_P(Objectives, OptionTable, ::testing::ValuesIn(kObjectives),
                         [](const auto& test) { return std::string(test.param); });

TEST(OptionTable, OtherTrainingsRefuseWhatOnlyObjectivesUse) {
  Config c = testing::tiny_config("table-other");
  c.algorithm.dpo.dpo_beta = 0.3;
  EXPECT_NO_THROW(validate(c, Command::kDpo));
  EXPECT_THROW(validate(c, Command::kRewardModel), Error);
  EXPECT_THROW(validate(c, Command::kSft), Error);
  c.algorithm.loss.beta = 0.1;
  try {
    validate(c, Command::kDpo);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("algorithm.beta: has no effect in grpo dpo"), std::string::npos) << error.what();
  }
}

// What the estimator needs is asked of the one that the objective's name stands for.
TEST(Validate, KnowsTheObjectivesEstimator) {
  EXPECT_FALSE(refused(config_of("rloo", {"normalize_advantages=true"}, "rloo")));
  EXPECT_TRUE(refused(config_of("remax", {"multi_objective_aggregation=normalize_then_sum"}, "remax")));
  EXPECT_TRUE(refused(config_of("remax", {"normalize_advantages=true"}, "remax")));
  Config alone = config_of("ppo", {"dynamic_sampling=true"}, "alone");
  EXPECT_FALSE(refused(alone));
  alone.rollout.sampling.num_generations = 1;
  EXPECT_TRUE(refused(alone));
}

TEST(Validate, WeightsOfRewardsAreGivenOnce) {
  Config c = config_of("grpo", {"reward_weights=[0.5,2]"}, "weights");
  EXPECT_FALSE(refused(c));
  c.reward[1].weight = 2.0;
  EXPECT_FALSE(refused(c));
  c.reward[1].weight = 3.0;
  EXPECT_TRUE(refused(c));
}

// One source: the two ways to give weights make the same run, whatever uses the weighted sum.
TEST(RewardWeights, AreTheSameThingUnderBothNames) {
  for (const char* objective : {"grpo", "remax", "expert_iteration", "online_dpo", "ppo"}) {
    const Names options = {"dynamic_sampling=true"};
    Config a = config_of(objective, options, "weights-a"), b = config_of(objective, options, "weights-b");
    a.reward[0].weight = 2.0, a.reward[1].weight = 0.25;
    b.algorithm.advantage.reward_weights = {2.0, 0.25};
    EXPECT_TRUE(testing::equal(trained(a), trained(b))) << objective;
  }
}

// Coefficients that are steered trip no check of start values.
TEST(AdaptiveCoefficients, MayLeaveWhatAStartValueMustKeep) {
  const auto entropy =
      config_of("grpo", {"use_adaptive_entropy=true", "entropy_coef=0.01", "entropy_coef_min=0.01", "entropy_target=0"}, "entropy");
  EXPECT_NO_THROW(trained(entropy));
  const auto kl = config_of("grpo", {"beta=0.1", "use_adaptive_kl=true", "kl_horizon=1", "kl_target=1000"}, "kl");
  EXPECT_NO_THROW(trained(kl));
}

}  // namespace
}  // namespace grpo::option_table
