#pragma once

#include "grpo/algorithm/dpo.h"

namespace grpo {

// Preference pairs in a batch: sequences 2i and 2i + 1 have one prompt, and the column "chosen" [M] is 1 on the better one's pairs, else 0.

/// The DPO loss of such a batch from the policy's log-probs [M] and batch.ref_logprobs; `pairs` = those of the whole step.
LossOutput pair_loss(const at::Tensor& logprobs, const Batch& batch, double pairs, const DpoConfig& config);

/// Of 2 P figures by sequence, those of the chosen and of the rejected, [P] each.
struct ByPreference {
  at::Tensor chosen, rejected;
};
ByPreference by_preference(const at::Tensor& figures, const at::Tensor& first_is_chosen);

/// [P] bool: whether the first sequence of each pair is the chosen one.
at::Tensor first_is_chosen(const Batch& batch);

}  // namespace grpo
