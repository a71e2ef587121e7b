// Oracles: the uninterrupted run (resume), bit-equal weights (zero rate), hand counts (tokens, files).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <tuple>

#include "grpo/core/error.h"
#include "grpo/io/json_config.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::equal;
using testing::lora_config;
using testing::metric_lines;
using testing::registry;
using testing::tiny_config;
using testing::weights;

class Resume : public ::testing::TestWithParam<int> {};

// With several updates per rollout a checkpoint waits for the rollout's end.
TEST_P(Resume, EqualsTheUninterruptedRunBitForBit) {
  Config c = tiny_config("resume-" + std::to_string(GetParam()));
  c.algorithm.num_iterations = GetParam();
  c.algorithm.loss.beta = 0.0;
  c.algorithm.loss.top_entropy_quantile = 0.5;
  c.algorithm.loss.entropy_coef = 0.1;
  c.algorithm.loss.use_adaptive_entropy = true;  // its controller must be restored too
  c.algorithm.loss.entropy_target = 1e3;
  c.trainer.max_steps = 4 * GetParam();
  c.trainer.save_steps = 2 * GetParam();
  std::vector<at::Tensor> expected;
  std::vector<nlohmann::json> expected_lines;
  {
    PolicyTrainer trainer(c, {}, registry());
    ASSERT_TRUE(trainer.train());
    expected = weights(trainer.model());
    expected_lines = metric_lines(c);
  }
  ASSERT_EQ(static_cast<int64_t>(expected_lines.size()), c.trainer.max_steps);
  fs::create_directories(fs::path(c.trainer.output_dir) / (".unfinished-99"));  // as a killed process leaves it
  testing::expect_resumes(c, expected, expected_lines);
}
INSTANTIATE_TEST_SUITE_P(UpdatesPerRollout, Resume, ::testing::Values(1, 2));

std::vector<at::Tensor> adapters(Transformer& model) {
  std::vector<at::Tensor> all;
  for (const auto& parameter : model.adapter_parameters()) all.push_back(parameter.value.clone());
  return all;
}

// The base must neither move nor have gradients, and the run's folders hold adapters.
TEST(Lora, ResumeEqualsTheUninterruptedRunBitForBit) {
  Config c = lora_config("lora-resume");
  c.algorithm.loss.beta = 0.1;
  c.trainer.save_steps = 2;
  std::vector<at::Tensor> expected;
  std::vector<nlohmann::json> expected_lines;
  {
    PolicyTrainer trainer(c, {}, registry());
    const auto before = weights(trainer.model()), start = adapters(trainer.model());
    ASSERT_TRUE(trainer.train());
    EXPECT_TRUE(equal(weights(trainer.model()), before));
    for (auto* arena : trainer.model().parameters()) EXPECT_FALSE(arena->has_grad());
    expected = adapters(trainer.model());
    for (size_t i = 0; i < start.size(); ++i) EXPECT_FALSE(expected[i].equal(start[i])) << i;
    expected_lines = metric_lines(c);
  }
  const fs::path run = c.trainer.output_dir;
  EXPECT_TRUE(fs::exists(run / "checkpoint-2" / "adapter_model.safetensors"));
  EXPECT_FALSE(fs::exists(run / "checkpoint-2" / "model.safetensors"));
  EXPECT_TRUE(equal(adapters(*load_policy({.path = (run / "model").string(), .tokenizer = {}, .new_model = {}}, 0).model), expected));
  testing::expect_resumes(c, expected, expected_lines, adapters);
}

// B is zero at first: the policy is the base, so the KL to it is none; after an update it is some.
TEST(Lora, TheBaseIsTheReference) {
  Config c = lora_config("lora-reference");
  c.algorithm.loss.beta = 0.1;
  c.optim.learning_rate = 1e-2;
  c.optim.lr_scheduler_type = "constant";
  PolicyTrainer trainer(c, {}, registry());
  EXPECT_EQ(trainer.step()->metrics.at("kl"), 0.0);
  EXPECT_GT(trainer.step()->metrics.at("kl"), 0.0);
}

TEST(Lora, RaisesARewardThatItCanEarn) {
  Config c = lora_config("lora-learns");
  c.model.lora.rank = 8;
  c.optim.learning_rate = 2e-2;
  c.optim.lr_scheduler_type = "constant";
  c.trainer.max_steps = 40;
  c.reward.resize(1);
  PolicyTrainer trainer(c, {}, registry());
  double first = 0.0, last = 0.0, mismatch = 0.0;
  while (const auto report = trainer.step()) {
    (report->step <= 4 ? first : last) += report->step <= 4 || report->step > 36 ? report->metrics.at("reward") / 4 : 0.0;
    mismatch = std::max(mismatch, report->metrics.at("sampling/sampling_logp_difference/mean"));
  }
  EXPECT_GT(last, first + 0.1);
  EXPECT_LT(mismatch, 1e-4);  // the engine sampled from base and adapters as they were trained, every time
}

TEST(PolicyTrainer, ZeroLearningRateChangesNothing) {
  Config c = tiny_config("zero-rate");
  c.optim.learning_rate = 0.0;
  PolicyTrainer trainer(c, {}, registry());
  const auto before = weights(trainer.model());
  while (trainer.step()) {
  }
  EXPECT_EQ(trainer.steps_done(), 4);
  EXPECT_TRUE(equal(before, weights(trainer.model())));
}

TEST(PolicyTrainer, FirstUpdateHasRatioOneAndCountsItsTokens) {
  Config c = tiny_config("counts");
  PolicyTrainer trainer(c, {}, registry());
  const auto report = trainer.step();
  ASSERT_TRUE(report);
  const auto& m = report->metrics;
  EXPECT_EQ(m.at("clip_ratio/region_mean"), 0.0);
  EXPECT_EQ(m.at("tokens/trained"), m.at("tokens/generated") - m.at("tokens/dropped"));
  EXPECT_LT(m.at("sampling/sampling_logp_difference/mean"), 2e-5);
  EXPECT_LT(m.at("sampling/sampling_logp_difference/max"), 2e-4);
  EXPECT_EQ(m.at("completions/max_length"), 8.0);
}

/// {updates per rollout, compute_dtype, kv_dtype}
class RoundedSampling : public ::testing::TestWithParam<std::tuple<int64_t, ComputeDType, KvDType>> {};

// The clip region is narrower than the sampler's rounding, wider than the trainer's: were the ratio taken to the sampler's log-probs, most
// tokens would lie outside.
TEST_P(RoundedSampling, IsCorrectedAgainstTheTrainersOwnLogprobs) {
  Config c = tiny_config("rounded");
  std::tie(c.algorithm.num_iterations, c.rollout.compute_dtype, c.rollout.kv_dtype) = GetParam();
  c.algorithm.loss.epsilon = 2e-6;
  PolicyTrainer trainer(c, {}, registry());
  for (const auto* arena : trainer.model().parameters()) at::Tensor(arena->flat()).mul_(3.0);  // new weights are too small to round visibly
  const auto report = trainer.step();
  ASSERT_TRUE(report);
  const auto& m = report->metrics;
  EXPECT_GT(m.at("sampling/sampling_logp_difference/mean"), 2e-5);
  EXPECT_LT(m.at("sampling/sampling_logp_difference/mean"), 0.3);
  EXPECT_EQ(m.at("clip_ratio/region_mean"), 0.0);
  EXPECT_NE(m.at("sampling/importance_sampling_ratio/mean"), 1.0);
  EXPECT_NEAR(m.at("sampling/importance_sampling_ratio/mean"), 1.0, 0.3);
  EXPECT_LE(m.at("sampling/importance_sampling_ratio/max"), 2.0);
}

INSTANTIATE_TEST_SUITE_P(Types, RoundedSampling,
                         ::testing::Values(std::tuple{1, ComputeDType::kBFloat16, KvDType::kFloat32},
                                           std::tuple{1, ComputeDType::kInt8, KvDType::kFloat32},
                                           std::tuple{1, ComputeDType::kFloat32, KvDType::kBFloat16},
                                           std::tuple{2, ComputeDType::kBFloat16, KvDType::kBFloat16},
                                           std::tuple{2, ComputeDType::kInt8, KvDType::kBFloat16}));

TEST(PolicyTrainer, IgnoredEndIdsEndNoCompletion) {
  Config c = tiny_config("ignore_eos");
  c.rollout.sampling.max_completion_length = 32;
  c.algorithm.generation_batch_size = 128;  // 4096 tokens: an end id of probability 1/261 is among them
  PolicyTrainer ending(c, {}, registry());
  EXPECT_LT(ending.step()->metrics.at("tokens/generated"), 128.0 * 32.0);
  c.rollout.sampling.ignore_eos = true;
  PolicyTrainer endless(c, {}, registry());
  EXPECT_EQ(endless.step()->metrics.at("tokens/generated"), 128.0 * 32.0);
}

TEST(PolicyTrainer, RaisesARewardThatItCanEarn) {
  Config c = tiny_config("learns");
  c.optim.learning_rate = 2e-2;
  c.optim.lr_scheduler_type = "constant";
  c.trainer.max_steps = 40;
  c.reward.resize(1);
  PolicyTrainer trainer(c, {}, registry());
  double first = 0.0, last = 0.0;
  while (const auto report = trainer.step()) {
    (report->step <= 4 ? first : last) += report->step <= 4 || report->step > 36 ? report->metrics.at("reward") / 4 : 0.0;
  }
  EXPECT_LT(first, 0.65);
  EXPECT_GT(last, first + 0.2);
}

TEST(PolicyTrainer, DynamicSamplingDropsGroupsWithoutVariance) {
  Config c = tiny_config("dynamic");
  c.algorithm.dynamic_sampling = true;
  c.reward = {{.name = "constant", .function = {}, .weight = 1.0, .options = {}}};
  Registry r = registry();
  r.add_reward("constant", [](const Completion&) { return 0.7; });
  PolicyTrainer trainer(c, {}, r);
  const auto before = weights(trainer.model());
  const auto report = trainer.step();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->metrics.at("tokens/dropped"), report->metrics.at("tokens/generated"));
  EXPECT_TRUE(equal(before, weights(trainer.model())));
}

TEST(PolicyTrainer, StopsOnANanAndKeepsTheWeights) {
  Config c = tiny_config("nan");
  PolicyTrainer trainer(c, {}, registry());
  ASSERT_TRUE(trainer.step());
  auto* arena = trainer.model().parameters().back();
  at::Tensor flat = arena->flat();
  flat[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(trainer.step(), Error);
}

TEST(PolicyTrainer, RefusesTrainingProblemsThatStandInTheEvaluation) {
  Config c = tiny_config("overlap");
  c.eval.data = c.data.train;
  EXPECT_THROW(PolicyTrainer(c, {}, registry()), Error);
}

TEST(PolicyTrainer, RefusesAFolderWithAnotherRun) {
  Config c = tiny_config("occupied");
  c.trainer.max_steps = 1;
  EXPECT_TRUE(PolicyTrainer(c, {}, registry()).train());
  EXPECT_THROW(PolicyTrainer(c, {}, registry()).train(), Error);
}

TEST(Validate, NamesEveryContradiction) {
  Config c = tiny_config("invalid");
  c.rollout.sampling.num_generations = 1;
  c.rollout.sampling.top_p = 0.9;
  c.reward.clear();
  c.data.train.path = "x.jsonl";
  try {
    validate(c, Command::kTrain);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    for (const char* part : {"num_generations", "top_p", "reward", "data.train"}) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << part << " in " << error.what();
    }
  }
}

// Numbers that a float cannot hold, at which a mean never moves, or whose products leave 64 bits.
TEST(Validate, RefusesHostileNumbers) {
  for (const char* setting :
       {"optim.adam_beta1=1", "optim.adam_beta2=1", "optim.learning_rate=1e39", "optim.weight_decay=1e39", "optim.adam_epsilon=1e-60",
        "algorithm.num_iterations=4611686018427387904", "algorithm.steps_per_generation=4611686018427387904",
        "algorithm.generation_batch_size=4611686018427387904", "trainer.batch_size=4611686018427387904"}) {
    ConfigSource source(config_aliases());
    source.add_override(setting);
    Config c;
    EXPECT_THROW(read_config(source, c), Error) << setting;
  }
  Config c = tiny_config("epochs");
  c.trainer.max_steps = 0;
  c.trainer.num_train_epochs = 1e30;
  EXPECT_THROW(PolicyTrainer(c, {}, registry()), Error);
}

TEST(Validate, RefusesRoundedSamplingWithoutCorrectionUnlessAllowed) {
  Config c = tiny_config("uncorrected");
  c.algorithm.loss.importance_sampling_correction = false;
  EXPECT_NO_THROW(validate(c, Command::kTrain));
  for (const bool compute : {true, false}) {
    Config rounded = c;
    if (compute) rounded.rollout.compute_dtype = ComputeDType::kInt8;
    if (!compute) rounded.rollout.kv_dtype = KvDType::kBFloat16;
    EXPECT_THROW(validate(rounded, Command::kTrain), Error);
    rounded.rollout.allow_off_policy_sampling = true;
    EXPECT_NO_THROW(validate(rounded, Command::kTrain));
    rounded.model.exact = true;  // bits of a sampler that rounds are nobody's
    EXPECT_THROW(validate(rounded, Command::kTrain), Error);
  }
}

TEST(SftTrainer, LowersTheLossOnItsDemonstrations) {
  Config c = tiny_config("sft");
  c.data.demonstrations = true;
  c.reward.clear();
  c.optim.learning_rate = 1e-2;
  c.trainer.max_steps = 30;
  c.trainer.batch_size = 16;
  SftTrainer trainer(c, {}, registry());
  double first = 0.0, last = 0.0;
  while (const auto report = trainer.step()) {
    if (report->step == 1) first = report->metrics.at("loss");
    last = report->metrics.at("loss");
  }
  EXPECT_NEAR(first, std::log(261.0), 0.1);  // a new model knows nothing: uniform over 256 bytes, four tags and the end
  EXPECT_LT(last, 0.6 * first);
}

TEST(SftTrainer, RefusesWhatTheModelCannotHold) {
  Config c = tiny_config("sft_long");
  c.data.demonstrations = true;
  c.reward.clear();
  c.model.new_model.max_position_embeddings = 16;
  try {
    SftTrainer trainer(c, {}, registry());
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tokens; the model takes 16"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace grpo
