#pragma once

#include <ATen/core/Tensor.h>

#include "grpo/algorithm/batch.h"

namespace grpo {

/// Arithmetic over a batch's (row, target) pairs, in the log-probs' dtype and on their device. M pairs, S sequences.
/// Both directions between pairs and sequences run in a fixed order, forward and backward, so that CUDA results repeat bit for bit.
class TokenTensors {
 public:
  TokenTensors(const Batch& batch, const at::TensorOptions& options);

  const at::Tensor& in_loss() const { return in_loss_; }            // [M] bool
  const at::Tensor& mask() const { return mask_; }                  // [M] 0 or 1
  const at::Tensor& loss_lengths() const { return loss_lengths_; }  // [S] pairs in the loss
  int64_t num_sequences() const { return lengths_.size(0); }

  /// The values inside the mask, 0 outside: whatever stands there, NaN too, reaches neither the value nor the gradient.
  at::Tensor keep(const at::Tensor& values) const;

  /// [M] → [S], over all pairs of each sequence.
  at::Tensor sum(const at::Tensor& values) const;
  /// [M] → [S], over the pairs inside the mask, of values that are 0 outside it; 0 for a sequence without any.
  at::Tensor loss_mean(const at::Tensor& values) const;
  /// [M] → [S], over all pairs.
  at::Tensor mean(const at::Tensor& values) const;
  /// [S] → [M].
  at::Tensor spread(const at::Tensor& per_sample) const;

 private:
  at::TensorOptions options_;
  at::Tensor lengths_, samples_, in_loss_, mask_, loss_lengths_;
};

}  // namespace grpo
