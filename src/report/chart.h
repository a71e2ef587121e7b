#pragma once

#include <string>
#include <vector>

#include "report/run.h"

namespace grpo::report {

enum class Style {
  kCurve,   // thin logged values under a bold moving average
  kExact,   // the values as they are (schedules)
  kPoints,  // the same with a dot each, unless they are many (evaluations)
  kStack,   // areas upon each other, smoothed; the lines share their steps
};

struct Line {
  std::string name;
  Series series;
};

struct Chart {
  std::string title;
  std::string note;         // one line under the title
  std::vector<Line> lines;  // the ones without values are left out
  Series low{}, high{};     // edges of a band behind the first line; empty: none
  Style style = Style::kCurve;
  bool percent = false;    // values are shares
  bool log_scale = false;  // used where every value is positive and they span a decade
};

/// The chart as an HTML figure with an inline SVG of bounded size, however long the series; empty where there is nothing to draw.
/// The horizontal axis runs over [first_step, last_step]; a thin upright line stands at each step of `marks` within.
std::string draw(Chart chart, double first_step, double last_step, const std::vector<double>& marks = {});

}  // namespace grpo::report
