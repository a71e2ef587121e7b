#pragma once

#include <string_view>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "reward_scores.h"

namespace grpo {

/// A batch's tokens as plain float64 numbers on the host, for scans over sequences. M pairs, S sequences.
struct HostTokens {
  explicit HostTokens(const Batch& batch);

  size_t size() const { return mask.size(); }
  bool in_loss(size_t token) const { return mask[token] > 0; }

  /// `tensor` [M] as numbers; throws "[where] expected `name` [M]; …" where it has another size or, unless `optional`, is undefined. An
  /// undefined one is all 0.
  Values numbers(const at::Tensor& tensor, std::string_view where, std::string_view name, bool optional = false) const;

  /// [S] → [M].
  Values spread(const Values& per_sample) const;
  /// [M] → [S], over the tokens in the loss.
  Values sums(const Values& values) const;
  /// 0 outside the loss.
  Values kept(Values values) const;
  /// Σ_{s ≥ t} gamma^{s−t} · value from each token t to the end of its sequence.
  Values to_go(const Values& values, double gamma = 1.0) const;
  /// (A − mean) / (std + 1e-4) over the tokens in the loss whose value is defined; all 0 where those are equal. NaN stays.
  Values whitened(Values values) const;

  std::vector<size_t> sample_of;  // [M]
  Values mask;                    // [M]
  Values lengths;                 // [S] tokens in the loss
};

/// Element by element.
Values plus(Values a, const Values& b);
/// NaN becomes 0; as a float32 tensor.
at::Tensor defined_or_zero(Values values);

}  // namespace grpo
