#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/objective_config.h"
#include "grpo/api.h"

namespace GRPO_API grpo {

/// Log-probs [M] summed (or averaged) over each sequence's tokens in the loss, [S]. Grad: `logprobs`.
at::Tensor sequence_logprobs(const at::Tensor& logprobs, const Batch& batch, bool average = false);

/// Two sequences of one prompt, by number.
struct PreferencePair {
  int64_t chosen = 0, rejected = 0;
  bool operator==(const PreferencePair&) const = default;
};

/// From each group that has two different rewards, the best and the worst completion, the first of equals: preference pairs for online DPO.
/// `rewards` [B], NaN = undefined; `groups` [B]. Groups in ascending order.
std::vector<PreferencePair> preference_pairs(const at::Tensor& rewards, const std::vector<int64_t>& groups);

/// The loss of P pairs from log-probs [P] of whole sequences (sums for sigmoid; TRL hands ipo averages over tokens), summed and divided by
/// `pairs`, those of the whole step. With h = (chosen − ref_chosen) − (rejected − ref_rejected):
///
/// - sigmoid: −(1 − s) log σ(beta h) − s log σ(−beta h), s = label_smoothing (DPO, arXiv 2305.18290, eq. 7);
/// - ipo: (h − 1 / (2 beta))² (IPO, arXiv 2310.12036, eq. 17).
///
/// Metrics (TRL's): rewards/chosen, rewards/rejected, rewards/margins, rewards/accuracies. Grad: chosen, rejected.
LossOutput dpo_loss(const at::Tensor& chosen, const at::Tensor& rejected, const at::Tensor& ref_chosen, const at::Tensor& ref_rejected,
                    double pairs, const DpoConfig& config = {});

/// A reward model's loss on P pairs of scores, Σ −log σ(chosen − rejected − margin) / `pairs` (Bradley and Terry, Biometrika 39, 1952; with
/// the margin of Llama 2, arXiv 2307.09288). Grad: chosen, rejected. Metrics: rewards/margins, rewards/accuracies.
LossOutput bradley_terry_loss(const at::Tensor& chosen, const at::Tensor& rejected, double pairs, double margin = 0.0);

}  // namespace grpo
