// Oracles: the uninterrupted run (resume), bit-equal weights (zero rate), hand counts (tokens, files).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <tuple>

#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/trainer/policy_trainer.h"
#include "support/parity.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

/// A few thousand parameters on sums of two one-digit numbers.
Config tiny_config(const std::string& name) {
  Config c;
  c.model.new_model = {.hidden_size = 16,
                       .intermediate_size = 32,
                       .num_hidden_layers = 2,
                       .num_attention_heads = 2,
                       .num_key_value_heads = 1,
                       .max_position_embeddings = 48,
                       .extra_tokens = {"<think>", "</think>", "<answer>", "</answer>"}};
  c.data.train = {
      .path = {}, .fields = {}, .task = "chained_arithmetic", .options = {{"terms", "2"}}, .split = "train", .count = 40, .seed = 5};
  c.data.prompt.prompt_template = "plain";
  c.reward = {{.name = "even", .function = {}, .weight = 1.0, .options = {}},
              {.name = "length", .function = {}, .weight = 0.5, .options = {{"target", "4"}}}};
  c.rollout.sampling.num_generations = 4;
  c.rollout.sampling.max_completion_length = 8;
  c.algorithm.generation_batch_size = 16;
  c.optim.learning_rate = 1e-3;
  c.trainer.output_dir = (fs::path(::testing::TempDir()) / name).string();
  c.trainer.max_steps = 4;
  c.trainer.save_total_limit = 0;
  c.trainer.max_tokens = 64;
  fs::remove_all(c.trainer.output_dir);
  return c;
}

Registry registry() {
  auto r = builtin_registry();
  r.add_reward("even", [](const Completion& c) {
    int64_t even = 0;
    for (const int32_t id : c.ids) even += id % 2 == 0 ? 1 : 0;
    return static_cast<double>(even) / static_cast<double>(c.ids.size());
  });
  return r;
}

std::vector<at::Tensor> weights(Transformer& model) {
  std::vector<at::Tensor> all;
  for (const auto* arena : model.parameters()) all.push_back(arena->flat().clone());
  return all;
}

bool equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].equal(b[i])) return false;
  }
  return true;
}

/// metrics.jsonl without what a clock decides.
std::vector<nlohmann::json> metric_lines(const Config& c) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(fs::path(c.trainer.output_dir) / "metrics.jsonl");
  for (std::string text; std::getline(in, text);) {
    auto line = nlohmann::json::parse(text);
    for (const char* clock : {"step_time", "time/generate", "time/reward", "time/update", "time/generate_tokens_per_second"})
      line.erase(clock);
    lines.push_back(std::move(line));
  }
  return lines;
}

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
  fs::remove_all(fs::path(c.trainer.output_dir) / ("checkpoint-" + std::to_string(c.trainer.max_steps)));
  fs::create_directories(fs::path(c.trainer.output_dir) / (".unfinished-99"));  // as a killed process leaves it
  PolicyTrainer again(c, {}, registry());
  ASSERT_TRUE(again.resume());
  EXPECT_EQ(again.steps_done(), c.trainer.save_steps);
  ASSERT_TRUE(again.train());
  EXPECT_TRUE(equal(weights(again.model()), expected));
  EXPECT_EQ(metric_lines(c), expected_lines);
}
INSTANTIATE_TEST_SUITE_P(UpdatesPerRollout, Resume, ::testing::Values(1, 2));

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
  trainer.model().bump_version();
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
  c.optim.lr_scheduler_type = OptimConfig::Schedule::kConstant;
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
  trainer.model().bump_version();
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

}  // namespace
}  // namespace grpo
