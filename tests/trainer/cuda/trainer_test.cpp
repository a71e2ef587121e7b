// Whole runs whose model lies on CUDA: sampling, training and checkpoints. Oracles: the same run on the CPU (float32), the uninterrupted
// run (resume), the run whose reference stays on CUDA, a uniform distribution's loss.
#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/policy_trainer.h"
#include "objective/reference.h"
#include "support/place.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::Place;
using testing::registry;

/// The tiny run on the place, or on the CPU, small enough for fibers.
Config tiny_config(const std::string& name, const Place* place) {
  const bool rounded = place != nullptr && place->dtype == at::kBFloat16;
  Config c = testing::tiny_config(rounded ? name + "-bf16" : name);  // tests of both types may run side by side
  c.model.new_model.num_hidden_layers = 1;
  c.model.new_model.extra_tokens = {"<think>", "</think>"};
  c.model.device = place != nullptr ? ModelSection::Device::kCuda : ModelSection::Device::kCpu;
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

TEST_P(CudaTrainer, OffloadsItsReferenceWithoutADifference) {
  const testing::At use(GetParam());
  Config c = tiny_config("cuda-offload", &GetParam());
  c.algorithm.sync_ref_model = true;
  c.algorithm.ref_model_sync_steps = 1;
  c.optim.learning_rate = 1e-2;
  c.trainer.max_steps = 3;
  c.trainer.save_steps = 2;
  const auto run = [&c](bool resume) {
    PolicyTrainer trainer(c, {}, registry());
    EXPECT_EQ(trainer.resume(), resume);
    double kl = 0.0;
    trainer.on_step([&kl](const TrainReport& report) { kl = report.metrics.at("kl"); });
    EXPECT_TRUE(trainer.train());
    EXPECT_GT(kl, 0.0);
    return std::pair(kl, weights(trainer));
  };
  const auto expected = run(false);
  c.algorithm.offload_ref_model = true;
  fs::remove_all(c.trainer.output_dir);
  for (const bool resume : {false, true}) {
    const auto got = run(resume);
    EXPECT_EQ(got.first, expected.first);
    EXPECT_TRUE(got.second.equal(expected.second));
    fs::remove_all(fs::path(c.trainer.output_dir) / "checkpoint-3");
  }
}

/// Counts the bytes that tensors take on a device while one is the thread's.
class Meter final : public c10::MemoryReportingInfoBase {
 public:
  explicit Meter(at::Device device) : device_(device) {}
  void reportMemoryUsage(void* /*at*/, int64_t bytes, size_t /*allocated*/, size_t /*reserved*/, at::Device device) override {
    if (device.type() != device_.type()) return;
    live += bytes;
    peak = std::max(peak, live);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t live = 0, peak = 0;

 private:
  at::Device device_;
};

TEST_P(CudaTrainer, AnOffloadedReferenceVisitsTheDevice) {
  const testing::At use(GetParam());
  const Config c = tiny_config("cuda-visit", &GetParam());
  const Policy policy = load_policy(c.model, 0);
  AlgorithmSection section = c.algorithm;
  ReferencePolicy stays(*policy.model, section);
  section.offload_ref_model = true;
  section.sync_ref_model = true;
  ReferencePolicy visits(*policy.model, section);
  int64_t bytes = 0;
  const auto models = visits.models();
  for (const auto* arena : models.front().arenas) {
    EXPECT_TRUE(arena->flat().is_cpu());
    bytes += static_cast<int64_t>(arena->flat().nbytes());
  }
  Rollout rollout;
  rollout.prompt_ids = {1, 2, 3};
  rollout.ids = {4, 5, 6, 7};
  const Batch batch = make_batch({rollout}, {});
  const auto communicator = single_process(policy.model->device());
  const auto meter = std::make_shared<Meter>(policy.model->device());
  const auto measured = [&](ReferencePolicy& reference) {
    reference.logprobs(batch, 1.0, 64, *communicator);  // what is allocated once
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
    meter->live = meter->peak = 0;
    const at::Tensor logprobs = reference.logprobs(batch, 1.0, 64, *communicator).clone();
    EXPECT_LT(meter->live, 1024);  // the log-probs
    return std::pair(logprobs, meter->peak);
  };
  const auto [expected, stayed] = measured(stays);
  const auto [got, visited] = measured(visits);
  EXPECT_TRUE(got.equal(expected));
  EXPECT_GE(visited, stayed + bytes);
}

TEST_P(CudaTrainer, LearnsItsDemonstrations) {
  const testing::At use(GetParam());
  Config c = tiny_config("cuda-sft", &GetParam());
  c.algorithm = {};
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
