#include "objective/pair_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>

#include "objective/make_objective.h"

namespace grpo {

at::Tensor first_is_chosen(const Batch& batch) {
  return first_of_sequences(batch.columns.at("chosen"), batch).view({-1, 2}).select(1, 0) > 0.5;
}

ByPreference by_preference(const at::Tensor& figures, const at::Tensor& first) {
  const at::Tensor pairs = figures.view({-1, 2}), a = pairs.select(1, 0), b = pairs.select(1, 1);
  return {.chosen = at::where(first, a, b), .rejected = at::where(first, b, a)};
}

LossOutput pair_loss(const at::Tensor& logprobs, const Batch& batch, double pairs, const DpoConfig& config) {
  const bool average = config.preference_loss == PreferenceLoss::kIpo;
  const at::Tensor first = first_is_chosen(batch);
  const ByPreference policy = by_preference(sequence_logprobs(logprobs, batch, average), first),
                     reference = by_preference(sequence_logprobs(batch.ref_logprobs, batch, average), first);
  return dpo_loss(policy.chosen, policy.rejected, reference.chosen, reference.rejected, pairs, config);
}

}  // namespace grpo
