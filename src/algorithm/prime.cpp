#include "grpo/algorithm/prime.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

#include "grpo/core/error.h"
#include "host_tokens.h"
#include "metric_list.h"
#include "reward_scores.h"

namespace grpo {
namespace {

/// What a completion is compared with: figures of its group's completions of known outcome, itself included. NaN where it has none.
struct Baseline {
  double count;          // K
  double outcome_mean;   // of K
  double process_count;  // of them, those with tokens in the loss: no other has process rewards
  double process_sum;    // Σ_j of the means over j's tokens
};

std::vector<Baseline> baselines(const Values& token_means, const Values& lengths, const Values& outcomes,
                                const std::vector<int64_t>& groups) {
  std::vector<Baseline> result(outcomes.size(), {kNan, kNan, kNan, kNan});
  for (const Rows& group : rows_by_group(groups)) {
    Values means = token_means;
    for (const size_t row : group) means[row] = std::isnan(outcomes[row]) || lengths[row] == 0.0 ? kNan : means[row];
    const Moments outcome = moments(outcomes, group), process = moments(means, group);
    if (outcome.count < 2) continue;
    for (const size_t row : group) {
      if (!std::isnan(outcomes[row]))
        result[row] = {outcome.count, outcome.varied ? outcome.mean : outcomes[row], process.count, process.mean * process.count};
    }
  }
  return result;
}

/// o − mean of the others' o; exactly 0 in groups of equal outcomes.
Values outcome_part(const std::vector<Baseline>& baseline, const Values& outcomes) {
  Values result(outcomes.size());
  for (size_t s = 0; s < outcomes.size(); ++s) {
    result[s] = baseline[s].count / (baseline[s].count - 1) * (outcomes[s] - baseline[s].outcome_mean);
  }
  return result;
}

void divide_by_largest_return(Values& rewards, const HostTokens& tokens) {
  double largest = 0;
  for (const double sum : tokens.to_go(rewards)) largest = std::max(largest, std::abs(sum));
  for (double& reward : rewards) reward = largest > 0 ? reward / largest : 0.0;
}

}  // namespace

at::Tensor implicit_process_rewards(const at::Tensor& logprobs, const at::Tensor& ref_logprobs, double prime_beta) try {
  return prime_beta * (logprobs - ref_logprobs);
} catch (...) {
  rethrow_as_error("implicit_process_rewards");
}

LossOutput prime_loss(const at::Tensor& logprobs, const at::Tensor& outcomes, const Batch& batch, const LossNormalizer& normalizer,
                      const PrimeConfig& config) try {
  GRPO_CHECK(logprobs.defined() && batch.ref_logprobs.defined() && logprobs.sizes() == batch.ref_logprobs.sizes() &&
                 logprobs.size(0) == batch.num_pairs(),
             "prime_loss", "expected log-probs of the reward model and its reference [M]; got none or others");
  GRPO_CHECK(outcomes.defined() && outcomes.dim() == 1 && outcomes.size(0) == batch.num_sequences(), "prime_loss",
             "expected one outcome per sequence; got none or another number");
  const TokenTensors pairs(batch, logprobs.options());
  const at::Tensor rewards = implicit_process_rewards(pairs.keep(logprobs), pairs.keep(batch.ref_logprobs), config.prime_beta);
  const at::Tensor logits = pairs.sum(rewards), target = outcomes.to(logprobs.options());
  const at::Tensor known = target.isnan().logical_not().logical_and(pairs.loss_lengths() > 0);
  const at::Tensor label = at::where(known, target, at::zeros({}, target.options()));
  const at::Tensor losses = at::binary_cross_entropy_with_logits(logits, label, {}, {}, at::Reduction::None) * known;
  MetricList metrics;
  metrics.add("prime/loss", Tally::Kind::kMean, {losses, known});
  metrics.add("prime/accuracy", Tally::Kind::kMean, {((logits > 0) == (label > 0.5)).to(logprobs.scalar_type()), known});
  return {.loss = losses.sum() / std::max(normalizer.sequences, 1.0), .metrics = metrics.read()};
} catch (...) {
  rethrow_as_error("prime_loss");
}

at::Tensor prime_advantages(const at::Tensor& process_rewards, const at::Tensor& outcomes, const Batch& batch,
                            const PrimeConfig& config) try {
  constexpr auto kWhere = "prime_advantages";
  const HostTokens tokens(batch);
  Values rewards = tokens.kept(tokens.numbers(process_rewards, kWhere, "process rewards"));
  const Values o = to_values(outcomes);
  GRPO_CHECK(o.size() == tokens.lengths.size(), kWhere, "expected one outcome per sequence; got another number");
  const bool paper = config.prime_form == PrimeForm::kPaper;
  if (!paper) divide_by_largest_return(rewards, tokens);

  Values means = tokens.sums(rewards);
  for (size_t s = 0; s < means.size(); ++s) means[s] /= std::max(tokens.lengths[s], 1.0);
  const std::vector<Baseline> baseline = baselines(means, tokens.lengths, o, batch.groups);
  Values relative(tokens.size());
  for (size_t t = 0; t < tokens.size(); ++t) {
    const size_t s = tokens.sample_of[t];
    const double count = baseline[s].process_count, sum = baseline[s].process_sum;
    if (count < 2) continue;  // no other completion has process rewards
    relative[t] = paper ? rewards[t] - (sum - means[s]) / (count - 1) : count / (count - 1) * rewards[t] - sum / (count - 1);
  }
  Values advantages = plus(tokens.to_go(tokens.kept(relative), paper ? config.gamma : 1.0), tokens.spread(outcome_part(baseline, o)));
  if (!paper) advantages = tokens.whitened(std::move(advantages));
  return defined_or_zero(tokens.kept(std::move(advantages)));
} catch (...) {
  rethrow_as_error("prime_advantages");
}

}  // namespace grpo
