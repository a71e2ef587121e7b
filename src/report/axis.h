#pragma once

#include <string>
#include <vector>

namespace grpo::report {

struct Tick {
  double value = 0.0;
  std::string label;
};

/// A range of values and the round ones to label in it. On a log scale `low` and `high` are exponents of ten, and so are the ticks' values.
struct Axis {
  double low = 0.0, high = 1.0;
  bool log = false;
  std::vector<Tick> ticks;

  /// Position of a value in thousandths of the axis, from its low end; values outside end at its ends.
  double position(double value) const;
};

/// An axis over at least [low, high] and zero, widened to round values.
Axis linear_axis(double low, double high, bool percent);
/// An axis over the whole decades round [low, high], both positive.
Axis log_axis(double low, double high);
/// An axis over exactly [low, high], with whole numbers as ticks.
Axis step_axis(double low, double high);

}  // namespace grpo::report
