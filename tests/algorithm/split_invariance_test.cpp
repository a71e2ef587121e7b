#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "grpo/algorithm/loss.h"
#include "loss_rows.h"
#include "samples.h"

namespace {

using grpo::Batch;
using grpo::LossConfig;
using grpo::LossNormalizer;
using grpo::testing::largest_difference;
using grpo::testing::Problem;

struct Result {
  at::Tensor grad, entropy_grad;
  double loss = 0;
  grpo::Tallies metrics;
};

/// Adds up loss, gradient and metrics over the given parts of the batch, a part = the numbers of its sequences.
Result run(const Problem& problem, const std::vector<std::vector<int64_t>>& parts, const LossNormalizer& normalizer,
           const LossConfig& config) {
  problem.logprobs.mutable_grad() = at::zeros_like(problem.logprobs);
  problem.entropy.mutable_grad() = at::zeros_like(problem.entropy);
  Result result;
  for (const auto& part : parts) {
    std::vector<int64_t> pairs;
    for (int64_t pair = 0; pair < problem.batch.num_pairs(); ++pair) {
      if (std::ranges::count(part, problem.batch.samples[static_cast<size_t>(pair)])) pairs.push_back(pair);
    }
    const at::Tensor index = at::tensor(pairs);
    const auto out = grpo::policy_loss(problem.logprobs.index_select(0, index), problem.entropy.index_select(0, index),
                                       problem.batch.select(part), normalizer, config);
    out.loss.backward();
    result.loss += out.loss.item<double>();
    grpo::merge(result.metrics, out.metrics);
  }
  result.grad = problem.logprobs.grad().clone();
  result.entropy_grad = problem.entropy.grad().clone();
  return result;
}

/// The whole batch, one sequence at a time, every second one, cuts by token budget, and two random partitions.
std::vector<std::vector<std::vector<int64_t>>> partitions(const Batch& batch) {
  std::vector<std::vector<std::vector<int64_t>>> all(2);
  all.emplace_back(2);
  for (int64_t sample = 0; sample < batch.num_samples(); ++sample) {
    if (sample == 0) all[0].emplace_back();
    all[0][0].push_back(sample);
    all[1].push_back({sample});
    all[2][static_cast<size_t>(sample % 2)].push_back(sample);
  }
  for (const int64_t budget : {12, 30}) {
    auto& parts = all.emplace_back();
    int64_t sample = 0;
    for (const Batch& micro : batch.split({.max_tokens = budget})) {
      auto& part = parts.emplace_back();
      for (int64_t i = 0; i < micro.num_samples(); ++i) part.push_back(sample++);
    }
  }
  grpo::Random random(5);
  for (int draw = 0; draw < 2; ++draw) {
    std::map<int64_t, std::vector<int64_t>> parts;
    for (int64_t sample = 0; sample < batch.num_samples(); ++sample) parts[random.uniform_int(0, 3)].push_back(sample);
    auto& list = all.emplace_back();
    for (const auto& [number, part] : parts) list.push_back(part);
  }
  return all;
}

LossNormalizer step_normalizer(const Problem& problem, const LossConfig& config) {
  auto normalizer = grpo::loss_normalizer(problem.batch, 16);
  if (config.top_entropy_quantile < 1) {
    grpo::set_entropy_threshold(normalizer, problem.entropy, problem.batch.mask, config.top_entropy_quantile);
  }
  return normalizer;
}

void expect_equal(const Result& parts, const Result& whole, double tolerance) {
  EXPECT_LE(largest_difference(parts.grad, whole.grad), tolerance);
  EXPECT_LE(largest_difference(parts.entropy_grad, whole.entropy_grad), tolerance);
  EXPECT_NEAR(parts.loss, whole.loss, 10 * tolerance);
  ASSERT_EQ(parts.metrics.size(), whole.metrics.size());
  for (const auto& [name, tally] : whole.metrics) EXPECT_NEAR(parts.metrics.at(name).result(), tally.result(), 100 * tolerance) << name;
}

class SplitInvariance : public ::testing::TestWithParam<std::pair<at::ScalarType, double>> {};

// Property: every step-scope row, with every legal option, gives the gradient, loss and metrics of the whole batch however it is cut.
TEST_P(SplitInvariance, EveryStepScopeRow) {
  const auto [dtype, tolerance] = GetParam();
  const Problem problem = grpo::testing::make_problem({3, 1, 4, 2, 7, 1, 1, 6, 2, 2, 5, 3}, 4, dtype, 11);
  const auto splits = partitions(problem.batch);
  for (const auto& row : grpo::loss_table()) {
    if (row.scope != grpo::LossScope::kStep) continue;
    for (const auto& [name, config] : grpo::testing::variants_of(row)) {
      SCOPED_TRACE(name);
      const auto normalizer = step_normalizer(problem, config);
      const Result whole = run(problem, splits.front(), normalizer, config);
      EXPECT_GT(whole.grad.abs().max().item<double>(), 0.0);
      for (const auto& parts : splits) expect_equal(run(problem, parts, normalizer, config), whole, tolerance);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, SplitInvariance, ::testing::Values(std::pair{at::kDouble, 1e-13}, std::pair{at::kFloat, 1e-6}),
                         [](const auto& instance) { return std::string(c10::toString(instance.param.first)); });

// A row that declares the scope of the micro-batch does depend on the cut; as one micro-batch it is dapo.
TEST(MicroBatchScope, DependsOnTheCut) {
  const Problem problem = grpo::testing::make_problem({3, 1, 4, 2, 7, 1}, 3, at::kDouble, 12);
  const auto& bnpo = grpo::loss_row(grpo::LossType::kBnpo);
  ASSERT_EQ(bnpo.scope, grpo::LossScope::kMicroBatch);
  auto normalizer = grpo::loss_normalizer(problem.batch, 16);
  const auto splits = partitions(problem.batch);
  const Result whole = run(problem, splits[0], normalizer, grpo::testing::config_of(bnpo));
  expect_equal(run(problem, splits[0], normalizer, grpo::testing::config_of(grpo::loss_row(grpo::LossType::kDapo))), whole, 1e-13);
  normalizer.micro_batches = static_cast<double>(splits[1].size());
  const Result cut = run(problem, splits[1], normalizer, grpo::testing::config_of(bnpo));
  EXPECT_GT(largest_difference(cut.grad, whole.grad), 1e-3);
}

}  // namespace
