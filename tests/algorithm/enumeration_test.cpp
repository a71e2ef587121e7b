// Expected gradients by summing over everything that a policy on six tokens can sample, against the definition's own gradient.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/kl.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/prime.h"
#include "loss_rows.h"
#include "samples.h"

namespace {

using grpo::AdvantageConfig;
using grpo::Batch;
using grpo::ScaleRewards;
using grpo::testing::largest_difference;
using grpo::testing::values;

constexpr int64_t kVocabulary = 6;
constexpr double kExact = 1e-7;  // advantages are float32

const std::vector<double> kRewards = {0.3, -1.0, 2.0, 0.5, 1.0, -0.25};

at::Tensor policy_logits() { return at::tensor({0.1, -0.7, 0.4, 1.0, -0.2, 0.6}, at::kDouble).requires_grad_(true); }

/// All groups of `size` one-token completions: 6^size of them.
struct Groups {
  explicit Groups(int64_t size) : size_(size) {
    const auto count = static_cast<int64_t>(std::pow(kVocabulary, size));
    std::vector<grpo::Rollout> rollouts;
    for (int64_t group = 0; group < count; ++group) {
      for (int64_t i = 0, rest = group; i < size; ++i, rest /= kVocabulary) {
        grpo::Rollout rollout;
        rollout.group = group;
        rollout.prompt_ids = {0};
        rollout.ids = {static_cast<int32_t>(rest % kVocabulary)};
        rewards.push_back(kRewards[static_cast<size_t>(rest % kVocabulary)]);
        rollouts.push_back(rollout);
      }
    }
    batch = grpo::make_batch(rollouts, {});
    ids = at::tensor(batch.targets, at::kLong);
  }

  /// E[(1/G) Σ_i A_i ∇ log p_i] with respect to the logits, from advantages of every group.
  at::Tensor gradient(const at::Tensor& advantages) const {
    const at::Tensor logits = policy_logits();
    const at::Tensor log_policy = logits.log_softmax(0);
    const at::Tensor of_id = log_policy.index_select(0, ids).view({-1, size_});
    const at::Tensor probability = of_id.detach().sum(1).exp();
    (probability * (advantages.to(at::kDouble).view({-1, size_}) * of_id).mean(1)).sum().backward();
    return logits.grad();
  }
  at::Tensor reward_tensor() const { return at::tensor(rewards, at::kDouble); }

  int64_t size_;
  std::vector<double> rewards;
  Batch batch;
  at::Tensor ids;
};

/// ∇ E[best of k rewards]; k = 1: of the reward.
at::Tensor exact_gradient(int64_t k) {
  const at::Tensor logits = policy_logits();
  const at::Tensor order = at::tensor(kRewards, at::kDouble).argsort();
  const at::Tensor sorted = at::tensor(kRewards, at::kDouble).index_select(0, order);
  const at::Tensor up_to = logits.softmax(0).index_select(0, order).cumsum(0).pow(static_cast<double>(k));
  const at::Tensor best = at::cat({up_to.narrow(0, 0, 1), up_to.narrow(0, 1, kVocabulary - 1) - up_to.narrow(0, 0, kVocabulary - 1)});
  (best * sorted).sum().backward();
  return logits.grad();
}

TEST(Unbiased, RlooIsTheGradientOfTheReward) {
  const Groups groups(3);
  const AdvantageConfig config{.advantage_estimator = "rloo"};
  const at::Tensor a = grpo::group_advantages(groups.reward_tensor(), groups.batch.groups, config);
  EXPECT_LE(largest_difference(groups.gradient(a), exact_gradient(1)), kExact);
}

// The group's own mean holds the completion itself: the gradient shrinks by (G − 1) / G, and a division by the deviation bends it.
TEST(Unbiased, GroupMeanUpToAFactor) {
  const Groups groups(3);
  const auto gradient = [&](ScaleRewards scale) {
    return groups.gradient(grpo::group_advantages(groups.reward_tensor(), groups.batch.groups, {.scale_rewards = scale}));
  };
  EXPECT_LE(largest_difference(gradient(ScaleRewards::kNone), exact_gradient(1) * 2 / 3), kExact);
  const at::Tensor bent = gradient(ScaleRewards::kGroup), straight = exact_gradient(1);
  EXPECT_LT(at::cosine_similarity(bent, straight, 0).item<double>(), 0.999);
}

TEST(Unbiased, RemaxIsTheGradientOfTheReward) {
  const Groups groups(1);
  const AdvantageConfig config{.advantage_estimator = "remax"};
  const at::Tensor a = grpo::estimate_advantages(
      {.rewards = groups.reward_tensor(), .greedy_rewards = at::full({kVocabulary}, kRewards[3])}, groups.batch, config);
  EXPECT_LE(largest_difference(groups.gradient(a), exact_gradient(1)), kExact);
}

// V_i − mean over all sets = (1 − k/G) (V_i − mean over the sets without i), and Σ_i V_i ∇ log p_i / G is 1/k of the gradient of the best
// of k (arXiv 2505.15201).
TEST(Unbiased, PassAtKUpToAFactor) {
  for (const auto& [size, k] : {std::pair<int64_t, int64_t>{3, 2}, {4, 2}, {4, 3}}) {
    const Groups groups(size);
    const AdvantageConfig config{.scale_rewards = ScaleRewards::kNone, .advantage_estimator = "pass_at_k", .pass_k = k};
    const at::Tensor a = grpo::group_advantages(groups.reward_tensor(), groups.batch.groups, config);
    const double factor = (1 - static_cast<double>(k) / static_cast<double>(size)) / static_cast<double>(k);
    EXPECT_LE(largest_difference(groups.gradient(a), exact_gradient(k) * factor), kExact) << size << " " << k;
  }
}

// Eq. 5 with process rewards that are a function of the token: both parts are leave-one-out.
TEST(Unbiased, PrimeIsTheGradientOfOutcomeAndProcess) {
  const Groups groups(3);
  const at::Tensor outcome = groups.reward_tensor().gt(0.4).to(at::kDouble), process = groups.reward_tensor() - outcome;
  const at::Tensor a = grpo::prime_advantages(process, outcome, groups.batch);
  EXPECT_LE(largest_difference(groups.gradient(a), exact_gradient(1)), kExact);
}

/// Sequences of two tokens, the second by a distribution that depends on the first; all 36, or all pairs of them as groups.
struct TwoTokens {
  static at::Tensor logits(int64_t seed) {
    return at::randn({kVocabulary + 1, kVocabulary}, at::detail::createCPUGenerator(static_cast<uint64_t>(seed)), at::kDouble);
  }

  /// log p of the batch's pairs, [M].
  at::Tensor logprobs(const at::Tensor& log_policy) const { return log_policy.flatten().index_select(0, index); }

  explicit TwoTokens(int64_t group_size) {
    const auto count = static_cast<int64_t>(std::pow(36, group_size));
    std::vector<grpo::Rollout> rollouts;
    std::vector<int64_t> entries;
    for (int64_t group = 0; group < count; ++group) {
      for (int64_t i = 0, rest = group; i < group_size; ++i, rest /= 36) {
        const int64_t first = rest % 36 / 6, second = rest % 6;
        grpo::Rollout rollout;
        rollout.group = group;
        rollout.prompt_ids = {0};
        rollout.ids = {static_cast<int32_t>(first), static_cast<int32_t>(second)};
        rollouts.push_back(rollout);
        entries.insert(entries.end(), {first, (first + 1) * kVocabulary + second});
      }
    }
    batch = grpo::make_batch(rollouts, {});
    index = at::tensor(entries);
  }

  Batch batch;
  at::Tensor index;
};

/// ∇ KL(policy ‖ reference) of whole sequences.
at::Tensor sequence_kl_gradient() {
  const TwoTokens all(1);
  const at::Tensor logits = TwoTokens::logits(1).requires_grad_(true);
  const at::Tensor log_p = all.logprobs(logits.log_softmax(1)).view({-1, 2}).sum(1);
  const at::Tensor log_ref = all.logprobs(TwoTokens::logits(2).log_softmax(1)).view({-1, 2}).sum(1);
  (log_p.exp() * (log_p - log_ref)).sum().backward();
  return logits.grad();
}

// KL in the reward: per-token returns (remax) and the whole sequence's before the baseline (rloo) both descend the sequences' KL.
TEST(Unbiased, KlInTheRewardIsTheGradientOfTheSequencesKl) {
  constexpr double kBeta = 0.7;
  for (const int64_t group_size : {1, 2}) {
    TwoTokens samples(group_size);
    const at::Tensor logits = TwoTokens::logits(1).requires_grad_(true);
    const at::Tensor logprobs = samples.logprobs(logits.log_softmax(1));
    samples.batch.old_logprobs = logprobs.detach();
    samples.batch.ref_logprobs = samples.logprobs(TwoTokens::logits(2).log_softmax(1));
    const at::Tensor none = at::zeros({samples.batch.num_sequences()});
    const AdvantageConfig config{.advantage_estimator = group_size == 1 ? "remax" : "rloo"};
    const at::Tensor a = grpo::estimate_advantages(
        {.rewards = none, .greedy_rewards = none, .token_rewards = grpo::kl_penalty(samples.batch, kBeta)}, samples.batch, config);
    const at::Tensor by_group = (a.to(at::kDouble) * logprobs).view({-1, group_size, 2}).sum(2).mean(1);
    const at::Tensor probability = logprobs.detach().view({-1, group_size * 2}).sum(1).exp();
    (probability * by_group).sum().backward();
    EXPECT_LE(largest_difference(logits.grad(), -kBeta * sequence_kl_gradient()), 1e-6) << group_size;
  }
}

// Off policy, the unbounded ratio policy / sampler makes the gradient that of the policy, for losses whose own ratio is 1.
TEST(Unbiased, SamplerRatioRepairsTheSampler) {
  Groups samples(1);
  const at::Tensor sampler = at::tensor({0.3, 0.1, 0.2, 0.1, 0.2, 0.1}, at::kDouble);
  samples.batch.advantages = samples.reward_tensor();
  samples.batch.sampling_logprobs = sampler.log();
  for (const auto& row : grpo::loss_table()) {
    if (grpo::needs_covariance(row.surrogate) || row.surrogate == grpo::Surrogate::kVespo) continue;  // chosen tokens; a weight of its own
    auto config = grpo::testing::config_of(row);
    config.importance_sampling_correction = true;
    config.importance_sampling_clip_max = std::nullopt;
    const at::Tensor logits = policy_logits();
    const at::Tensor log_policy = logits.log_softmax(0);
    at::Tensor expectation = at::zeros({}, at::kDouble);
    for (int64_t id = 0; id < kVocabulary; ++id) {
      const Batch one = samples.batch.select({id});
      const auto out = grpo::policy_loss(log_policy.narrow(0, id, 1), {}, one, grpo::loss_normalizer(one, 1), config);
      expectation = expectation + sampler[id] * out.loss;
    }
    expectation.backward();
    EXPECT_LE(largest_difference(logits.grad(), -exact_gradient(1)), kExact) << row.name;
  }
}

}  // namespace
