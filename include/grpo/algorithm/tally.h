#pragma once

#include <map>
#include <string>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// A figure of one micro-batch that combines exactly over micro-batches and ranks.
struct Tally {
  enum class Kind { kMean, kSum, kMin, kMax };
  Kind kind = Kind::kMean;
  double value = 0;  // kMean and kSum: the sum
  double count = 0;  // of what was summed or compared

  void merge(const Tally& other);
  /// NaN if there was nothing to average or compare.
  double result() const;
};

/// By metric name, which is TRL's where TRL has the metric.
using Tallies = std::map<std::string, Tally>;
void merge(Tallies& into, const Tallies& from);

}  // namespace grpo
