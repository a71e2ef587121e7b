#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "grpo/objective/config.h"
#include "trainer/data_order.h"

namespace grpo {

class ConfigVisitor;

/// Which problems are sampled next: the data in its order, hard problems again, easy ones left out. Pass rates are what was measured while
/// training, equal on all ranks, so all ranks pick alike.
class ProblemPicker {
 public:
  ProblemPicker(const AlgorithmSection& config, int64_t problems);

  /// `count` items: up to `replay_fraction` of them from the hard ones, the longest waiting first, the rest from `order`. Items whose last
  /// pass rate exceeds `curriculum_max_pass_rate` are passed over, at most as many as there are problems.
  std::vector<int64_t> pick(int64_t count, DataOrder& order);
  /// An item's pass rate in [0, 1] as just measured; NaN: unknown.
  void note(int64_t item, double pass_rate);

  /// Rates and hard items become what they were when `mark` was called.
  void mark();
  void roll_back();
  /// Rates by item (-1: unknown) and the hard items that wait; nothing if neither replay nor curriculum is on. Reading throws if they are
  /// of other data.
  void describe_state(ConfigVisitor& visitor);

 private:
  void set_hard(std::deque<int64_t> hard);
  bool on() const { return replay_fraction_ > 0.0 || curriculum_max_ < 1.0; }

  double replay_fraction_, replay_max_, curriculum_max_;
  std::vector<double> rates_;
  std::deque<int64_t> hard_, marked_hard_;
  std::vector<bool> waits_;                          // by item: whether it is among the hard ones
  std::vector<std::pair<int64_t, double>> earlier_;  // rates that were changed since the mark, in the order of changes
};

}  // namespace grpo
