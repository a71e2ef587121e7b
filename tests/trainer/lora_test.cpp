// Low-rank adapters in every kind of training. Oracles: the adapted model itself, the order that was learnt.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/model/lora.h"
#include "grpo/trainer/policy_trainer.h"
#include "objective/no_grad.h"
#include "support/parity.h"
#include "trainer/tiny_run.h"

namespace grpo::lora_runs {
namespace {

namespace fs = std::filesystem;
using testing::lora_config;
using testing::registry;

/// Adapters that do something: B is 0 at first.
void move_adapters(Transformer& model) {
  for (const auto& parameter : model.adapter_parameters()) at::Tensor(parameter.value).add_(0.1);
}

Batch some_batch() {
  const std::vector<int32_t> prompt{50, 43, 51}, ids{61, 53, 10, 256};
  return make_batch(std::vector<Sequence>{{.prompt_ids = prompt, .ids = ids}}, {});
}

// A critic and a process reward model begin as the policy, adapters included.
TEST(FrozenCopy, ComputesWhatTheAdaptedModelDoes) {
  const Policy policy = load_policy(lora_config("copy").model, 0);
  const auto logprobs = [](Transformer& model) { return outputs_without_grad(model, some_batch(), {}, 64).logprobs; };
  const at::Tensor base = logprobs(*policy.model);
  move_adapters(*policy.model);
  const at::Tensor adapted = logprobs(*policy.model);
  ASSERT_GT((adapted - base).abs().max().item<double>(), 1e-3);
  const auto copy = frozen_copy(*policy.model);
  EXPECT_FALSE(copy->has_adapter());
  EXPECT_LT((logprobs(*copy) - adapted).abs().max().item<double>(), 1e-5);
}

/// The folder of a short run's adapters.
fs::path trained_adapters(const std::string& name) {
  const Config c = lora_config(name);
  PolicyTrainer trainer(c, {}, registry());
  EXPECT_TRUE(trainer.train());
  return fs::path(c.trainer.output_dir) / "model";
}

TEST(Lora, AMovingReferenceIsRefusedForAPeftFolderToo) {
  Config c = lora_config("peft-sync");
  c.model.path = trained_adapters("peft-sync-base").string();
  c.model.lora = {};
  c.algorithm.loss.beta = 0.1;
  c.algorithm.sync_ref_model = true;
  c.algorithm.ref_model_sync_steps = 1;
  EXPECT_THROW(PolicyTrainer(c, {}, registry()), Error);
}

TEST(Lora, ARunIsNotResumedWithoutItsAdapters) {
  Config c = lora_config("toggled");
  c.trainer.save_steps = 2;
  {
    PolicyTrainer trainer(c, {}, registry());
    ASSERT_TRUE(trainer.train());
  }
  c.model.lora = {};
  PolicyTrainer trainer(c, {}, registry());
  const auto refusal = [&trainer](const ResumeOptions& options) {
    try {
      trainer.resume(options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refusal({}).find("model.lora.rank: 2, now 0"), std::string::npos) << refusal({});
  EXPECT_NE(refusal({.allow_changed = {"model"}}).find("holds low-rank adapters, and the config asks for none"), std::string::npos);
}

TEST(Lora, ARewardModelKeepsItsHead) {
  Config c = lora_config("lora-reward-model");
  c.reward.clear();
  c.data.train = {.path = "given.jsonl", .fields = {}, .task = {}, .options = {}};
  c.optim.learning_rate = 5e-2;
  c.optim.lr_scheduler_type = "constant";
  c.trainer.batch_size = 8;
  c.trainer.max_steps = 20;
  c.trainer.save_steps = 10;
  TrainerParts parts;
  for (int i = 0; i < 24; ++i) {
    Problem problem;
    problem.index = i;
    problem.question = std::to_string(i) + "+1";
    problem.fields = {{"chosen", "<answer>" + std::to_string(i + 1)}, {"rejected", std::to_string(i) + "no"}};
    parts.dataset.push_back(std::move(problem));
  }
  const auto problems = parts.dataset;
  {
    PreferenceTrainer trainer(c, parts, registry(), Command::kRewardModel);
    ASSERT_TRUE(trainer.train());
  }
  const fs::path folder = fs::path(c.trainer.output_dir) / "model";
  const auto config = testing::read_json(folder / "adapter_config.json");
  EXPECT_EQ(config.at("task_type"), "SEQ_CLS");
  EXPECT_EQ(config.at("modules_to_save"), nlohmann::json({"score"}));
  const auto judge = registry().rewards.make("reward_model", {{"path", "\"" + folder.string() + "\""}});
  std::vector<Completion> completions;
  for (const auto& problem : problems) {
    for (const char* field : {"chosen", "rejected"})
      completions.push_back({.problem = &problem, .prompt = problem.question + "\n", .text = problem.fields.at(field), .ids = {}});
  }
  std::vector<Score> scores(completions.size());
  RewardContext context;
  judge->score(completions, scores, context);
  for (size_t i = 0; i < scores.size(); i += 2) EXPECT_GT(scores[i].value, scores[i + 1].value) << i;

  const auto expected = testing::metric_lines(c);
  fs::remove_all(fs::path(c.trainer.output_dir) / "checkpoint-20");
  PreferenceTrainer again(c, parts, registry(), Command::kRewardModel);
  ASSERT_TRUE(again.resume());
  ASSERT_TRUE(again.train());
  EXPECT_EQ(testing::metric_lines(c), expected);
}

}  // namespace
}  // namespace grpo::lora_runs
