#pragma once

#include <cstddef>

#include "report/run.h"

namespace grpo::report {

/// Reach of a curve's moving average: a twentieth of the series, 1 below ten points.
size_t average_window(size_t points);

/// Means of the values less than `window` (at least 1) points away from a point, weighted by nearness (a triangle, so that a lone peak
/// leaves no plateau), at no more than `buckets` + 1 points evenly spread over the series, the first and the last among them.
Series moving_average(const Series& series, size_t window, size_t buckets);

/// At most 2 * `buckets` points: the lowest and the highest of every stretch, so that no peak is lost. Short series stay as they are.
Series extremes(const Series& series, size_t buckets);

/// Mean of the values of [begin, end).
double mean(const Series& series, size_t begin, size_t end);

/// The value at that step, or `otherwise`.
double value_at(const Series& series, double step, double otherwise);

}  // namespace grpo::report
