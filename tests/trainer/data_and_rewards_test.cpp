// Data that the model cannot hold, and rewards from which nothing can be learnt. Oracles: counts by hand, the reference's own weights.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"
#include "trainer/verdict_watch.h"

namespace grpo::data_and_rewards {
namespace {

using testing::registry;
using testing::tiny_config;

/// Five short problems and, third, one of 60 bytes; the tiny model takes 48.
TrainerParts with_a_long_one() {
  TrainerParts parts;
  for (int64_t i = 0; i < 6; ++i) {
    Problem problem;
    problem.index = i;
    problem.question = i == 2 ? std::string(60, '1') : std::to_string(i) + "+1";
    problem.answer = std::to_string(i + 1);
    problem.solution = "<answer>" + problem.answer + "</answer>";
    problem.fields = {{"chosen", "yes"}, {"rejected", "no"}};
    parts.dataset.push_back(std::move(problem));
  }
  return parts;
}

Config config_for(Command command, DataSection::Overlong choice) {
  Config c = tiny_config("overlong");
  c.data.overlong_prompts = choice;
  c.trainer.batch_size = 5;
  c.trainer.max_steps = 0;
  c.algorithm.generation_batch_size = 20;  // five groups
  if (command != Command::kTrain) c.data.train.task.clear();
  return c;
}

std::unique_ptr<Trainer> make(Command command, const Config& c) {
  if (command == Command::kTrain) return std::make_unique<PolicyTrainer>(c, with_a_long_one(), registry());
  if (command == Command::kSft) return std::make_unique<SftTrainer>(c, with_a_long_one(), registry());
  return std::make_unique<PreferenceTrainer>(c, with_a_long_one(), registry(), command);
}

TEST(Overlong, IsAnErrorBeforeTheFirstStepOrLeftOut) {
  for (const Command command : {Command::kTrain, Command::kSft, Command::kDpo, Command::kRewardModel}) {
    try {
      make(command, config_for(command, DataSection::Overlong::kError));
      ADD_FAILURE() << "expected an error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("problem 2 has 6"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("overlong_prompts"), std::string::npos) << error.what();
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    }
    const auto trainer = make(command, config_for(command, DataSection::Overlong::kDrop));
    EXPECT_EQ(trainer->total_steps(), 1);  // an epoch of five
    EXPECT_TRUE(trainer->step());
  }
}

TEST(Overlong, NothingLeftIsAnError) {
  Config c = config_for(Command::kTrain, DataSection::Overlong::kDrop);
  c.model.new_model.max_position_embeddings = 3;
  EXPECT_THROW(make(Command::kTrain, c), Error);
}

/// Rewards by what a test wants at the moment.
std::function<double(const Completion&)> verdict;

Registry with_verdicts() {
  Registry r = registry();
  r.add_reward("verdict", [](const Completion& c) { return verdict(c); });
  return r;
}

Config verdict_config(const std::string& name) {
  Config c = tiny_config(name);
  c.reward = {{.name = "verdict", .function = {}, .weight = 1.0, .options = {}}};
  return c;
}

double parity(const Completion& c) { return static_cast<double>((c.ids.front() + c.sample) % 2); }

TEST(Verdicts, AFirstRolloutWithoutAnyStopsTheRun) {
  verdict = [](const Completion&) { return std::nan(""); };
  PolicyTrainer trainer(verdict_config("silent"), {}, with_verdicts());
  try {
    trainer.train();
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no sample of the first rollout has a verdict (verdict: 16 of 16 undefined)"),
              std::string::npos)
        << error.what();
  }
}

TEST(Verdicts, UndefinedOnesAreCountedAndAreNoVariance) {
  verdict = [](const Completion& c) { return c.sample < 2 ? std::nan("") : 0.5; };
  PolicyTrainer trainer(verdict_config("counted"), {}, with_verdicts());
  const auto report = trainer.step();
  EXPECT_EQ(report->metrics.at("rewards/verdict/undefined"), 8.0);
  EXPECT_EQ(report->metrics.at("frac_reward_zero_std"), 1.0);
}

// The first sample has no verdict, the others differ: a group that varies, for dynamic sampling as for advantages.
TEST(Verdicts, AGroupVariesWhateverItsFirstSampleHas) {
  verdict = [](const Completion& c) { return c.sample == 0 ? std::nan("") : static_cast<double>(c.sample); };
  Config c = verdict_config("nan-first");
  c.algorithm.dynamic_sampling = true;
  PolicyTrainer trainer(c, {}, with_verdicts());
  EXPECT_EQ(trainer.step()->metrics.at("tokens/dropped"), 0.0);
}

TEST(VerdictWatch, WarnsOnceAfterSeveralRollouts) {
  const auto warnings = [](VerdictCounts counts, bool compares, int rollouts) {
    VerdictWatch watch({"a"}, compares);
    ::testing::internal::CaptureStderr();
    for (int i = 0; i < rollouts; ++i) watch.look(counts, false, {});
    const std::string text = ::testing::internal::GetCapturedStderr();
    return std::count(text.begin(), text.end(), '\n');
  };
  const VerdictCounts silent{.samples = 4, .verdicts = 0, .varied = 0, .undefined = {4}};
  const VerdictCounts equal{.samples = 4, .verdicts = 4, .varied = 0, .undefined = {0}};
  const VerdictCounts good{.samples = 4, .verdicts = 4, .varied = 1, .undefined = {0}};
  EXPECT_EQ(warnings(silent, true, 4), 0);
  EXPECT_EQ(warnings(silent, true, 30), 1);
  EXPECT_EQ(warnings(equal, true, 9), 0);
  EXPECT_EQ(warnings(equal, true, 30), 1);
  EXPECT_EQ(warnings(equal, false, 30), 0);
  EXPECT_EQ(warnings(good, true, 30), 0);
}

// Rates of the function that tells right from wrong, not the weighted sum, which may exceed every bound.
TEST(Curriculum, JudgesByARateInZeroToOne) {
  verdict = [](const Completion&) { return 1.0; };
  Config c = verdict_config("curriculum");
  c.data.train.count = 8;
  c.reward.push_back({.name = "even", .function = {}, .weight = 1.0, .options = {}});
  c.reward[0].weight = 50.0;
  const auto items = [&](double bound, const std::string& judge) {
    Config asked = c;
    asked.algorithm.curriculum_max_pass_rate = bound;
    asked.algorithm.pass_rate_reward = judge;
    PolicyTrainer trainer(asked, {}, with_verdicts());
    for (int step = 0; step < 3; ++step) trainer.step();
    return trainer.step()->metrics.at("epoch");
  };
  EXPECT_EQ(items(1.0, ""), 2.0);         // four problems a step, none passed over
  EXPECT_GT(items(0.9, "verdict"), 2.0);  // all are solved
  EXPECT_EQ(items(0.9999, "even"), 2.0);  // none is
}

// Where a step has nothing to train on, a refresh that is due still comes. Oracle: the policy's weights.
TEST(SeveralAnswers, ReachRewardsInTrainingAndEvaluation) {
  const auto file = [](const std::string& name, const std::string& row) {
    const auto path = std::filesystem::path(::testing::TempDir()) / (name + ".jsonl");
    std::ofstream(path) << row << "\n";
    return path.string();
  };
  Config c = tiny_config("several-answers");
  c.data.train = {
      .path = file("several-train", R"({"question": "a", "answer": ["3", "three", 3.0]})"), .fields = {}, .task = {}, .options = {}};
  c.eval.data = {.path = file("several-eval", R"({"question": "b", "answer": ["4", "four"]})"), .fields = {}, .task = {}, .options = {}};
  c.eval.at_end = true;
  c.reward = {{.name = "answers", .function = {}, .weight = 1.0, .options = {}}};
  c.trainer.max_steps = 1;
  auto parts = registry();
  parts.add_reward("answers", [](const Completion& completion) { return static_cast<double>(completion.problem->answers().size()); });
  PolicyTrainer trainer(c, {}, parts);
  ASSERT_TRUE(trainer.train());
  const auto lines = testing::metric_lines(c);
  EXPECT_EQ(lines.front().at("rewards/answers/mean"), 3.0);
  EXPECT_EQ(lines.back().at("eval_answers"), 2.0);
}

TEST(Reference, IsRefreshedInAStepWithoutAnUpdate) {
  verdict = parity;
  Config c = verdict_config("refresh-idle");
  c.algorithm.dynamic_sampling = true;
  c.algorithm.dynamic_sampling_rounds = 0;
  c.algorithm.loss.beta = 0.05;
  c.algorithm.sync_ref_model = true;
  c.algorithm.ref_model_sync_steps = 2;
  c.algorithm.ref_model_mixup_alpha = 1.0;
  c.optim.lr_scheduler_type = "constant";
  c.optim.learning_rate = 1e-2;
  PolicyTrainer trainer(c, {}, with_verdicts());
  ASSERT_TRUE(trainer.step()->metrics.contains("grad_norm"));
  verdict = [](const Completion&) { return 1.0; };  // groups without variance: all are dropped
  ASSERT_FALSE(trainer.step()->metrics.contains("grad_norm"));
  verdict = parity;
  EXPECT_EQ(trainer.step()->metrics.at("kl"), 0.0);
}

// Samples that end for their length are masked: no pair has one of them.
TEST(OnlineDpo, PairsHaveNoMaskedSide) {
  verdict = [](const Completion& c) { return c.finish == FinishReason::kLength ? 2.0 : static_cast<double>(c.sample % 2); };
  Config c = verdict_config("masked-pairs");
  c.algorithm.objective = "online_dpo";
  c.rollout.sampling.stop = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "a", "e", "i", "o", "u", " "};
  const auto pairs = [&](bool masks) {
    c.algorithm.mask_truncated_completions = masks;
    PolicyTrainer trainer(c, {}, with_verdicts());
    return trainer.step()->metrics.at("dpo/pairs");
  };
  EXPECT_GT(pairs(false), pairs(true));  // the best of a group is one that was cut off
}

}  // namespace
}  // namespace grpo::data_and_rewards
