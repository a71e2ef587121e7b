#pragma once

#include <optional>
#include <string>
#include <vector>

#include "math/evaluate.h"

namespace grpo {

/// The numbers between two ends.
struct Interval {
  Number low, high;
  bool low_closed = false, high_closed = false;
};

/// A set of real numbers: intervals in order, with gaps between them. A point is a closed interval.
struct RealSet {
  std::vector<Interval> intervals;
  std::string letter;  // of the condition that describes it, "x" in x > 3; may be empty
};

/// Intervals, unions, conditions on one letter, points in braces. Nothing for what is no set of real numbers, for ends with letters in
/// them, and for ends whose order cannot be told.
std::optional<RealSet> real_set(const Node& node, const Arithmetic& arithmetic);

/// Whether the node is a set of real numbers by its form, where "(0, 1)" alone is not.
bool looks_like_real_set(const Node& node);

Relation compare(const RealSet& a, const RealSet& b, const Arithmetic& arithmetic);

}  // namespace grpo
