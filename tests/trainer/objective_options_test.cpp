// Every loss and estimator of the tables by its word in a config. Oracles: finite figures, the uninterrupted run (resume), a built-in loss.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "grpo/algorithm/policy_term.h"
#include "grpo/core/error.h"
#include "grpo/io/json_config.h"
#include "grpo/model/transformer.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

/// The tiny run with one layer and two steps; the reward is the share of even ids.
Config small_config(const std::string& name) {
  Config c = testing::tiny_config("objective-" + name);
  c.model.new_model.num_hidden_layers = 1;
  c.model.new_model.extra_tokens = {};
  c.data.train.count = 20;
  c.data.train.seed = DataSource().seed;
  c.reward.resize(1);
  c.rollout.sampling.max_completion_length = 6;
  c.trainer.max_steps = 2;
  c.trainer.max_tokens = TrainerSection().max_tokens;
  return c;
}

/// The clip of PPO at 0.2 as a user would write it.
class OwnClip final : public PolicyTerm {
 public:
  at::Tensor loss(const PolicyTermInput& in) const override {
    return -at::minimum(in.ratio * in.advantages, in.ratio.clamp(0.8, 1.2) * in.advantages);
  }
};

/// −factor · A log p, the factor an option of its own.
class Scaled final : public PolicyTerm {
 public:
  explicit Scaled(const NamedOptions& options) {
    read_options("scaled", options, [this](ConfigVisitor& v) { v.field("factor", factor_, ""); });
  }
  at::Tensor loss(const PolicyTermInput& in) const override { return -factor_ * in.advantages * in.logprobs; }

 private:
  double factor_ = 1.0;
};

Registry registry_with_losses() {
  auto r = testing::registry();
  r.add_loss<OwnClip>("own_clip");
  r.add_loss<Scaled>("scaled");
  return r;
}

struct Outcome {
  at::Tensor weights;
  std::map<std::string, double> metrics;  // of the last step
};

at::Tensor weights_of(Transformer& model) {
  std::vector<at::Tensor> all;
  for (const auto* arena : model.parameters()) all.push_back(arena->flat().clone());
  return at::cat(all);
}

Outcome train(const Config& config, bool resume = false) {
  PolicyTrainer trainer(config, {}, registry_with_losses());
  EXPECT_EQ(trainer.resume(), resume);
  Outcome run;
  trainer.on_step([&run](const TrainReport& report) { run.metrics = report.metrics; });
  EXPECT_TRUE(trainer.train());
  run.weights = weights_of(trainer.model());
  return run;
}

TEST(ObjectiveOptions, EveryLossTrains) {
  const at::Tensor start = [] {
    PolicyTrainer trainer(small_config("start"), {}, registry_with_losses());
    return weights_of(trainer.model());
  }();
  for (const auto& row : loss_table()) {
    Config c = small_config(std::string(row.name));
    c.algorithm.loss.loss_type = row.type;
    c.algorithm.num_iterations = 2;  // the second update has ratios
    c.trainer.max_steps = 4;
    if (row.surrogate == Surrogate::kCispo) c.algorithm.loss.epsilon_high = 5.0;
    if (row.surrogate == Surrogate::kClipCov) c.algorithm.loss.clip_cov_min = 0.0;
    const Outcome run = train(c);
    EXPECT_TRUE(run.weights.isfinite().all().item<bool>()) << row.name;
    EXPECT_FALSE(run.weights.equal(start)) << row.name;
    if (needs_covariance(row.surrogate)) {
      EXPECT_GT(run.metrics.at(std::string(row.name) + "_ratio"), 0.0);
    }
  }
}

TEST(ObjectiveOptions, EveryEstimatorTrains) {
  for (const auto& row : estimator_table()) {
    Config c = small_config(std::string(row.name));
    c.algorithm.advantage.advantage_estimator = row.name;
    if (row.name == "pass_at_k") c.algorithm.advantage.pass_k = 2;
    if (row.name == "process_supervision") {
      EXPECT_THROW(train(c), Error) << row.name;  // no function judges steps
      fs::remove_all(c.trainer.output_dir);
      c.reward.push_back({.name = "even_steps", .function = {}, .weight = 0.0, .options = {}});
    }
    const Outcome run = train(c);
    EXPECT_TRUE(run.weights.isfinite().all().item<bool>()) << row.name;
    EXPECT_TRUE(std::isfinite(run.metrics.at("loss"))) << row.name;
  }
}

// With beta 0 and with the reference equal to the policy (first step) the reward is untouched; later the KL is positive and pulls back.
TEST(ObjectiveOptions, KlInTheReward) {
  Config c = small_config("kl-in-reward");
  c.algorithm.advantage.advantage_estimator = "rloo";
  c.trainer.max_steps = 1;
  const Outcome free = train(c);
  c.algorithm.loss.beta = 0.5;
  c.algorithm.loss.kl_estimator = KlEstimator::kK1;
  c.algorithm.loss.use_kl_in_reward = true;
  fs::remove_all(c.trainer.output_dir);
  const Outcome first = train(c);
  EXPECT_TRUE(first.weights.allclose(free.weights, 1e-4, 1e-7));
  EXPECT_NEAR(first.metrics.at("kl"), 0.0, 1e-6);
  c.trainer.max_steps = 8;
  c.optim.learning_rate = 1e-2;
  fs::remove_all(c.trainer.output_dir);
  EXPECT_GT(std::abs(train(c).metrics.at("kl")), 1e-4);
}

// Oracle: the built-in loss; and the option of a term of one's own reaches it.
TEST(ObjectiveOptions, CustomLossByName) {
  Config c = small_config("built-in");
  c.algorithm.num_iterations = 2;
  c.trainer.max_steps = 4;
  const Outcome expected = train(c);
  c.algorithm.loss.custom_loss = "own_clip";
  fs::remove_all(c.trainer.output_dir);
  EXPECT_TRUE(train(c).weights.equal(expected.weights));
  c.algorithm.loss.custom_loss = "scaled";
  c.algorithm.loss.custom_loss_options = {{"factor", "0"}};
  fs::remove_all(c.trainer.output_dir);
  EXPECT_EQ(train(c).metrics.at("grad_norm"), 0.0);
  c.algorithm.loss.custom_loss_options = {{"fctor", "0"}};
  EXPECT_THROW(train(c), Error);
  c.algorithm.loss.custom_loss = "scald";
  c.algorithm.loss.custom_loss_options = {};
  EXPECT_THROW(train(c), Error);
}

// Property: the adaptive beta and the draws of clip_cov go on after a resume as if there had been none.
TEST(ObjectiveOptions, ResumeKeepsBetaAndDraws) {
  Config c = small_config("resume");
  c.algorithm.loss.loss_type = LossType::kClipCov;
  c.algorithm.loss.clip_cov_min = 0.0;
  c.algorithm.loss.clip_cov_ratio = 0.2;
  c.algorithm.loss.beta = 0.1;
  c.algorithm.loss.use_adaptive_kl = true;
  c.algorithm.loss.kl_horizon = 100;
  c.trainer.max_steps = 6;
  c.trainer.save_steps = 3;
  const Outcome whole = train(c);
  EXPECT_NE(whole.metrics.at("beta"), 0.1);
  fs::remove_all(fs::path(c.trainer.output_dir) / "checkpoint-6");
  const Outcome resumed = train(c, true);
  EXPECT_TRUE(resumed.weights.equal(whole.weights));
  EXPECT_EQ(resumed.metrics.at("beta"), whole.metrics.at("beta"));
}

// Oracle: the registry that makes them.
TEST(ObjectiveTable, HasOneDescribedRowPerObjective) {
  const auto rows = objective_table();
  for (const auto& [name, description] : rows) {
    EXPECT_TRUE(builtin_objectives().contains(name)) << name;
    EXPECT_FALSE(description.equation.empty() || description.source.empty() || description.cost.empty());
  }
  EXPECT_EQ(rows.size(), builtin_objectives().names().size());
}

}  // namespace
}  // namespace grpo
