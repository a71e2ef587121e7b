#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/loss.h"
#include "grpo/core/random.h"

namespace grpo::testing {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Completions of the given lengths in groups of `group_size`, each group with a prompt of its own; ids are drawn from [3, 300).
inline std::vector<Rollout> make_rollouts(const std::vector<int64_t>& lengths, int64_t group_size, uint64_t seed = 1) {
  Random random(seed);
  const auto ids = [&](int64_t count) {
    std::vector<int32_t> drawn;
    for (int64_t i = 0; i < count; ++i) drawn.push_back(static_cast<int32_t>(random.uniform_int(3, 299)));
    return drawn;
  };
  std::vector<Rollout> rollouts;
  for (size_t i = 0; i < lengths.size(); ++i) {
    Rollout rollout;
    rollout.group = static_cast<int64_t>(i) / group_size;
    rollout.sample = static_cast<int64_t>(i) % group_size;
    rollout.prompt_ids = rollout.sample == 0 ? ids(random.uniform_int(2, 6)) : rollouts.back().prompt_ids;
    rollout.ids = ids(lengths[i]);
    rollout.finish = FinishReason::kStop;
    rollouts.push_back(rollout);
  }
  return rollouts;
}

/// A batch of random advantages, masks and log-probs, and the current policy's log-probs and entropies [M] as leaves.
struct Problem {
  Batch batch;
  at::Tensor logprobs, entropy;
};

inline Problem make_problem(const std::vector<int64_t>& lengths, int64_t group_size, at::ScalarType dtype, int64_t seed) {
  const auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed));
  const auto noise = [&](int64_t count, double scale) { return at::randn({count}, generator, at::kDouble).mul(scale); };
  const auto count = static_cast<int64_t>(lengths.size());
  Problem problem;
  Batch& batch = problem.batch;
  batch = make_batch(make_rollouts(lengths, group_size, static_cast<uint64_t>(seed)), noise(count, 1.0));
  const int64_t pairs = batch.num_pairs();
  const at::Tensor old = noise(pairs, 1.0).square().neg() - 0.05;
  batch.mask = (at::rand({pairs}, generator, at::kFloat) < 0.85).to(at::kFloat);
  batch.old_logprobs = old.to(at::kFloat);
  batch.ref_logprobs = (old + noise(pairs, 0.3)).to(at::kFloat);
  batch.sampling_logprobs = (old + noise(pairs, 0.15)).to(at::kFloat);
  batch.sampling_logprobs[0] = std::numeric_limits<float>::quiet_NaN();
  batch.draws = at::rand({pairs}, generator, at::kFloat);
  problem.logprobs = (old + noise(pairs, 0.25)).to(dtype).requires_grad_(true);
  problem.entropy = at::rand({pairs}, generator, at::kDouble).mul(3).to(dtype).requires_grad_(true);
  return problem;
}

/// The normaliser of the whole batch, with whatever statistics of the step the config needs.
inline LossNormalizer step_normalizer(const Problem& problem, const LossConfig& config) {
  auto normalizer = loss_normalizer(problem.batch, 16);
  if (config.top_entropy_quantile < 1) {
    set_entropy_threshold(normalizer, problem.entropy, problem.batch.mask, config.top_entropy_quantile);
  }
  if (needs_covariance(loss_row(config.loss_type).surrogate)) {
    set_covariance(normalizer, covariance_tokens(problem.logprobs, problem.batch, config), config);
  }
  return normalizer;
}

inline std::vector<double> values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

inline at::Tensor numbers(const std::vector<double>& list) { return at::tensor(list, at::kDouble); }

inline void expect_values(const at::Tensor& tensor, const std::vector<double>& expected, double tolerance) {
  const auto actual = values(tensor);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], tolerance) << i;
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace grpo::testing
