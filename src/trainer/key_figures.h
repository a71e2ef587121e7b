#pragma once

#include <map>
#include <string>

#include "grpo/core/metrics.h"

namespace grpo {

/// What stands behind a training run's progress: "reward 0.512  length 143  1.2k tok/s  accuracy 0.4  loss 0.01  grad 0.3". A figure that a
/// step does not have, as one without sampling, keeps its last value.
class KeyFigures {
 public:
  /// `tokens`: num_tokens before the run began or went on.
  explicit KeyFigures(double tokens) : tokens_before_(tokens) {}

  /// The figures after a step. Tokens per second are the mean of this run's steps.
  std::string after(const Metrics& step);

 private:
  double tokens_before_, seconds_ = 0.0;
  std::map<std::string, double> last_;
};

}  // namespace grpo
