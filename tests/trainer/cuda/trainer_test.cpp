// Whole runs whose model lies on CUDA: sampling, training and checkpoints. Oracles: the same run on the CPU (float32), the uninterrupted
// run (resume), a uniform distribution's loss.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/trainer/policy_trainer.h"
#include "support/place.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::Place;
using testing::registry;

/// The tiny run on the place, or on the CPU, small enough for fibers.
Config tiny_config(const std::string& name, const Place* place) {
  Config c = testing::tiny_config(name);
  c.model.new_model.num_hidden_layers = 1;
  c.model.new_model.extra_tokens = {"<think>", "</think>"};
  c.model.device = place != nullptr ? ModelSection::Device::kCuda : ModelSection::Device::kCpu;
  const bool rounded = place != nullptr && place->dtype == at::kBFloat16;
  c.model.compute_dtype = rounded ? ModelSection::ComputeDType::kAuto : ModelSection::ComputeDType::kFloat32;
  c.reward.resize(1);
  c.rollout.sampling.max_completion_length = 6;
  c.algorithm.generation_batch_size = 8;
  c.algorithm.loss.beta = 0.01;
  c.algorithm.loss.top_entropy_quantile = 0.8;
  c.trainer.max_steps = 2;
  c.trainer.max_tokens = 48;
  return c;
}

at::Tensor weights(Trainer& trainer) {
  std::vector<at::Tensor> all;
  for (const auto* arena : trainer.model().parameters()) all.push_back(arena->flat().to(at::kCPU, at::kFloat, false, true));
  return at::cat(all);
}

class CudaTrainer : public ::testing::TestWithParam<Place> {};
INSTANTIATE_TEST_SUITE_P(Places, CudaTrainer, ::testing::ValuesIn(testing::places()), testing::place_name);

TEST_P(CudaTrainer, StepsAsOnTheCpu) {
  const Config on_cpu = tiny_config("cpu", nullptr), on_cuda = tiny_config("cuda", &GetParam());
  PolicyTrainer expected(on_cpu, {}, registry());
  const auto expected_report = expected.step();
  const testing::At use(GetParam());
  PolicyTrainer trainer(on_cuda, {}, registry());
  EXPECT_EQ(trainer.model().dtype(), GetParam().dtype);
  const auto report = trainer.step();
  ASSERT_TRUE(report && expected_report);
  const bool exact = GetParam().dtype == at::kFloat;
  EXPECT_LT(report->metrics.at("sampling/sampling_logp_difference/mean"), exact ? 1e-5 : 0.02);
  EXPECT_TRUE(std::isfinite(report->metrics.at("loss")));
  if (!exact) return;  // other samples
  for (const auto& [name, value] : expected_report->metrics) {
    if (name.starts_with("time/") || name == "step_time" || std::isnan(value)) continue;
    EXPECT_NEAR(report->metrics.at(name), value, 1e-4 * (1.0 + std::abs(value))) << name;
  }
  EXPECT_LT((weights(trainer) - weights(expected)).abs().mean().item<double>(), 1e-6);
}

TEST_P(CudaTrainer, ResumesBitForBit) {
  const testing::At use(GetParam());
  Config c = tiny_config("cuda-resume", &GetParam());
  c.trainer.save_steps = 1;
  at::Tensor expected;
  {
    PolicyTrainer trainer(c, {}, registry());
    ASSERT_TRUE(trainer.train());
    expected = weights(trainer);
  }
  fs::remove_all(fs::path(c.trainer.output_dir) / "checkpoint-2");
  PolicyTrainer again(c, {}, registry());
  ASSERT_TRUE(again.resume());
  EXPECT_EQ(again.steps_done(), 1);
  ASSERT_TRUE(again.train());
  EXPECT_TRUE(weights(again).equal(expected));
}

TEST_P(CudaTrainer, LearnsItsDemonstrations) {
  const testing::At use(GetParam());
  Config c = tiny_config("cuda-sft", &GetParam());
  c.data.demonstrations = true;
  c.reward.clear();
  c.optim.learning_rate = 2e-2;
  c.trainer.max_steps = 8;
  c.trainer.batch_size = 4;
  SftTrainer trainer(c, {}, registry());
  double first = 0.0, last = 0.0;
  while (const auto report = trainer.step()) {
    if (report->step == 1) first = report->metrics.at("loss");
    last = report->metrics.at("loss");
  }
  EXPECT_NEAR(first, std::log(259.0), 0.1);  // uniform over 256 bytes, two tags and the end
  EXPECT_LT(last, 0.75 * first);
}

}  // namespace
}  // namespace grpo
