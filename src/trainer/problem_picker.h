#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "grpo/trainer/config.h"

namespace grpo {

/// Which problems are sampled next: the data in its order, hard problems again, easy ones left out. Rates are of what was measured while
/// training, equal on all ranks, so all pick alike.
class ProblemPicker {
 public:
  ProblemPicker(const AlgorithmSection& config, int64_t problems);

  /// `count` items: up to `replay_fraction` of them from the hard ones, the longest waiting first, the rest by `next`, which gives the
  /// data's next item. Items whose last pass rate exceeds `curriculum_max_pass_rate` are passed over, at most as many as there are
  /// problems.
  std::vector<int64_t> pick(int64_t count, const std::function<int64_t()>& next);
  /// An item's pass rate in [0, 1] as just measured; NaN = unknown.
  void note(int64_t item, double pass_rate);

  /// The number of problems, rates by item (-1 = unknown), then the hard items that wait: what a checkpoint keeps. Empty where neither
  /// replay nor curriculum is on.
  std::vector<double> state() const;
  void restore(const std::vector<double>& state);

 private:
  double replay_fraction_, replay_max_, curriculum_max_;
  std::vector<double> rates_;
  std::deque<int64_t> hard_;
};

}  // namespace grpo
