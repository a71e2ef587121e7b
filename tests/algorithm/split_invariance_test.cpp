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
      if (std::ranges::count(part, problem.batch.sequence_of[static_cast<size_t>(pair)])) pairs.push_back(pair);
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
  for (int64_t sample = 0; sample < batch.num_sequences(); ++sample) {
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
      for (int64_t i = 0; i < micro.num_sequences(); ++i) part.push_back(sample++);
    }
  }
  grpo::Random random(5);
  for (int draw = 0; draw < 2; ++draw) {
    std::map<int64_t, std::vector<int64_t>> parts;
    for (int64_t sample = 0; sample < batch.num_sequences(); ++sample) parts[random.uniform_int(0, 3)].push_back(sample);
    auto& list = all.emplace_back();
    for (const auto& [number, part] : parts) list.push_back(part);
  }
  return all;
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
  const Problem problem = grpo::testing::make_problem({3, 1, 4, 2, 7, 1, 1, 6}, 4, dtype, 11);
  const auto splits = partitions(problem.batch);
  for (const auto& row : grpo::loss_table()) {
    if (row.scope != grpo::LossScope::kStep) continue;
    for (const auto& [name, config] : grpo::testing::variants_of(row)) {
      SCOPED_TRACE(name);
      const auto normalizer = grpo::testing::step_normalizer(problem, config);
      const Result whole = run(problem, splits.front(), normalizer, config);
      EXPECT_GT(whole.grad.abs().max().item<double>(), 0.0);
      for (const auto& parts : splits) expect_equal(run(problem, parts, normalizer, config), whole, tolerance);
    }
  }
}

/// The problem with its sequences in another order, and the pair that each of its pairs is in the original.
std::pair<Problem, at::Tensor> reordered(const Problem& problem, const std::vector<grpo::Rollout>& rollouts, std::vector<size_t> order) {
  std::vector<grpo::Rollout> moved;
  std::vector<int64_t> pairs;
  for (const size_t sample : order) {
    moved.push_back(rollouts[sample]);
    for (int64_t pair = 0; pair < problem.batch.num_pairs(); ++pair) {
      if (problem.batch.sequence_of[static_cast<size_t>(pair)] == static_cast<int32_t>(sample)) pairs.push_back(pair);
    }
  }
  const at::Tensor index = at::tensor(pairs);
  Problem result{grpo::make_batch(moved, {}), problem.logprobs.detach().index_select(0, index).requires_grad_(true),
                 problem.entropy.detach().index_select(0, index).requires_grad_(true)};
  for (at::Tensor Batch::*member :
       {&Batch::advantages, &Batch::mask, &Batch::old_logprobs, &Batch::ref_logprobs, &Batch::sampling_logprobs, &Batch::draws}) {
    result.batch.*member = (problem.batch.*member).index_select(0, index);
  }
  return {std::move(result), index};
}

// Property: the order of sequences in the pack, groups torn apart or not, changes no gradient of any row with any legal option.
TEST_P(SplitInvariance, EveryRowInAnyOrder) {
  const auto [dtype, tolerance] = GetParam();
  const std::vector<int64_t> lengths{3, 1, 4, 2, 7, 1, 1, 6};
  const Problem problem = grpo::testing::make_problem(lengths, 4, dtype, 13);
  const auto rollouts = grpo::testing::make_rollouts(lengths, 4, 13);
  for (const auto& order : {std::vector<size_t>{7, 6, 5, 4, 3, 2, 1, 0}, std::vector<size_t>{0, 4, 1, 5, 7, 2, 6, 3}}) {
    const auto [moved, index] = reordered(problem, rollouts, order);
    for (const auto& row : grpo::loss_table()) {
      for (const auto& [name, config] : grpo::testing::variants_of(row)) {
        SCOPED_TRACE(name);
        const Result one = run(problem, {{0, 1, 2, 3, 4, 5, 6, 7}}, grpo::testing::step_normalizer(problem, config), config);
        Result other = run(moved, {{0, 1, 2, 3, 4, 5, 6, 7}}, grpo::testing::step_normalizer(moved, config), config);
        other.grad = at::zeros_like(other.grad).index_copy(0, index, other.grad);
        other.entropy_grad = at::zeros_like(other.entropy_grad).index_copy(0, index, other.entropy_grad);
        expect_equal(other, one, tolerance);
      }
    }
  }
}

/// What the ranks' counts and statistics, each of its own share, add up to.
LossNormalizer normalizer_of_ranks(const Problem& problem, const std::vector<std::vector<int64_t>>& shares, const LossConfig& config) {
  LossNormalizer total{.max_completion_length = 16};
  std::vector<at::Tensor> entropies, tokens;
  for (const auto& share : shares) {
    const Batch part = problem.batch.select(share);
    const auto mine = grpo::loss_normalizer(part, 16);
    total.tokens += mine.tokens, total.sequences += mine.sequences, total.entropy_tokens += mine.entropy_tokens;
    std::vector<int64_t> pairs;
    for (int64_t pair = 0; pair < problem.batch.num_pairs(); ++pair) {
      if (std::ranges::count(share, problem.batch.sequence_of[static_cast<size_t>(pair)])) pairs.push_back(pair);
    }
    const at::Tensor index = at::tensor(pairs);
    entropies.push_back(problem.entropy.detach().index_select(0, index).masked_select(part.mask > 0));
    tokens.push_back(grpo::covariance_tokens(problem.logprobs.detach().index_select(0, index), part, config));
  }
  if (config.top_entropy_quantile < 1) {
    const at::Tensor all = at::cat(entropies);
    grpo::set_entropy_threshold(total, all, at::ones_like(all), config.top_entropy_quantile);
  }
  if (grpo::needs_covariance(grpo::loss_row(config.loss_type).surrogate)) grpo::set_covariance(total, at::cat(tokens), config);
  return total;
}

// Property: two or three ranks, each with its share, its own counts and its own micro-batches, add up to the single rank's gradient.
TEST_P(SplitInvariance, EveryStepScopeRowOverRanks) {
  const auto [dtype, tolerance] = GetParam();
  const Problem problem = grpo::testing::make_problem({3, 1, 4, 2, 7, 1, 1, 6}, 4, dtype, 14);
  for (const auto& row : grpo::loss_table()) {
    if (row.scope != grpo::LossScope::kStep) continue;
    for (const auto& [name, config] : grpo::testing::variants_of(row)) {
      SCOPED_TRACE(name);
      const Result one = run(problem, {{0, 1, 2, 3, 4, 5, 6, 7}}, grpo::testing::step_normalizer(problem, config), config);
      for (const auto& shares : {std::vector<std::vector<int64_t>>{{0, 1, 2, 3}, {4, 5, 6, 7}}, {{0, 1}, {2, 3, 4}, {5, 6, 7}}}) {
        const LossNormalizer total = normalizer_of_ranks(problem, shares, config);
        std::vector<std::vector<int64_t>> micro_batches;  // two for each rank
        for (const auto& share : shares) {
          micro_batches.push_back({share.begin(), share.begin() + 1});
          micro_batches.push_back({share.begin() + 1, share.end()});
        }
        expect_equal(run(problem, micro_batches, total, config), one, tolerance);
      }
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
