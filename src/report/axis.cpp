#include "report/axis.h"

#include <algorithm>
#include <cmath>

#include "report/html.h"

namespace grpo::report {
namespace {

/// The smallest of 1, 2, 5 times a power of ten that cuts `range` into at most `parts` parts.
double round_step(double range, int parts) {
  const double rough = range / parts, power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1.0 - 1e-9)) return factor * power;
  }
  return 10.0 * power;
}

std::string label_of(double value, double step, bool percent) {
  const double scale = percent ? 100.0 : 1.0;
  if (std::abs(value) < 1e-9 * step) return percent ? "0%" : "0";
  if (!percent && (std::abs(value) >= 1e4 || step < 1e-4)) return figure(value);
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step * scale) + 1e-9)));
  return fixed(value * scale, decimals) + (percent ? "%" : "");
}

void add_ticks(Axis& axis, double step, bool percent) {
  const double first = std::ceil(axis.low / step - 1e-9);
  for (double k = first; k * step <= axis.high + 1e-9 * step; ++k) axis.ticks.push_back({k * step, label_of(k * step, step, percent)});
}

}  // namespace

double Axis::position(double value) const {
  const double on_scale = log ? std::log10(value) : value;
  return std::clamp(1000.0 * (on_scale - low) / (high - low), 0.0, 1000.0);
}

Axis linear_axis(double low, double high, bool percent) {
  Axis axis{std::min(low, 0.0), std::max(high, 0.0), false, {}};
  if (axis.low == axis.high) axis.high = 1.0;
  const double step = round_step(axis.high - axis.low, 5);
  axis.low = step * std::floor(axis.low / step + 1e-9);
  axis.high = step * std::ceil(axis.high / step - 1e-9);
  add_ticks(axis, step, percent);
  return axis;
}

Axis log_axis(double low, double high) {
  Axis axis{std::floor(std::log10(low)), std::ceil(std::log10(high)), true, {}};
  if (axis.low == axis.high) axis.high += 1.0;
  const double step = std::ceil((axis.high - axis.low) / 5.0);
  for (double exponent = axis.low; exponent <= axis.high; exponent += step) {
    axis.ticks.push_back({exponent, figure(std::pow(10.0, exponent))});
  }
  return axis;
}

Axis step_axis(double low, double high) {
  Axis axis{low, high, false, {}};
  if (axis.low == axis.high) axis = {low - 0.5, high + 0.5, false, {}};
  add_ticks(axis, std::max(1.0, round_step(axis.high - axis.low, 5)), false);
  return axis;
}

}  // namespace grpo::report
