#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include "report/axis.h"
#include "report/html.h"
#include "report/series.h"

namespace grpo::report {
namespace {

constexpr size_t kBuckets = 200;    // of a drawn line
constexpr size_t kColours = 7;      // of the page's palette: more lines than that are left out
constexpr size_t kDottedUpTo = 40;  // points
constexpr double kOutliers = 0.01;  // share of the logged values that may lie above a linear axis, and as many below
constexpr double kFarAway = 2.0;    // axes: how much longer one must be for the sake of outliers before they are cut off

struct Drawn {
  std::string name;
  Series thin, bold;
};

std::string coordinate(double value) { return without_zero(fixed(value, 1)); }

/// The points joined by straight lines, in thousandths of the plot from its upper left.
std::string path_of(const Series& series, const Axis& x, const Axis& y) {
  std::string path;
  for (const Point& p : series) {
    path += (path.empty() ? "M" : "L") + coordinate(x.position(p.step)) + " " + coordinate(1000.0 - y.position(p.value));
  }
  return path;
}

/// The area between two lines.
std::string area_of(const Series& low, const Series& high, const Axis& x, const Axis& y) {
  const Series back(low.rbegin(), low.rend());
  return path_of(high, x, y) + "L" + path_of(back, x, y).substr(1) + "Z";
}

std::vector<Drawn> prepare(const Chart& chart) {
  std::vector<Drawn> drawn;
  for (const Line& line : chart.lines) {
    const bool exact = chart.style == Style::kExact || chart.style == Style::kPoints;
    const size_t window = exact ? 1 : average_window(line.series.size());
    drawn.push_back({line.name, {}, moving_average(line.series, window, kBuckets)});
    if (chart.style == Style::kCurve && window > 1) drawn.back().thin = extremes(line.series, kBuckets);
  }
  if (chart.style != Style::kStack) return drawn;
  for (size_t i = 1; i < drawn.size(); ++i) {
    for (size_t k = 0; k < drawn[i].bold.size(); ++k) drawn[i].bold[k].value += drawn[i - 1].bold[k].value;
  }
  return drawn;
}

/// The axis that shows every bold line and all logged values but outliers.
Axis value_axis(const Chart& chart, const std::vector<Drawn>& drawn, const Series& low, const Series& high) {
  std::vector<double> logged, bold;
  for (const Series* band : {&low, &high}) {
    for (const Point& p : *band) bold.push_back(p.value);
  }
  for (size_t i = 0; i < drawn.size(); ++i) {
    for (const Point& p : drawn[i].bold) bold.push_back(p.value);
    if (drawn[i].thin.empty()) continue;
    for (const Point& p : chart.lines[i].series) logged.push_back(p.value);
  }
  const auto [lowest, highest] = std::minmax_element(bold.begin(), bold.end());
  double bottom = *lowest, top = *highest;
  std::sort(logged.begin(), logged.end());
  if (chart.log_scale && !logged.empty()) bottom = std::min(bottom, logged.front());
  if (chart.log_scale && !logged.empty()) top = std::max(top, logged.back());
  if (chart.log_scale && bottom > 0.0 && top >= 10.0 * bottom) return log_axis(bottom, top);
  if (!logged.empty()) {
    const auto skipped = static_cast<size_t>(kOutliers * static_cast<double>(logged.size()));
    bottom = std::min({0.0, *lowest, logged[skipped]});
    top = std::max({0.0, *highest, logged[logged.size() - 1 - skipped]});
    const double inner = top - bottom;
    if (std::max(top, logged.back()) - bottom < kFarAway * inner) top = std::max(top, logged.back());
    if (top - std::min(bottom, logged.front()) < kFarAway * inner) bottom = std::min(bottom, logged.front());
  }
  return linear_axis(bottom, top, chart.percent);
}

std::string value_text(const Chart& chart, double value) { return chart.percent ? percent(value) : figure(value); }

std::string colour(size_t index) { return "style=\"--c:var(--c" + std::to_string(index) + ")\""; }

std::string legend(const Chart& chart, const std::vector<Drawn>& drawn) {
  std::string html = "<ul class=\"legend\">";
  for (size_t i = 0; i < drawn.size(); ++i) {
    const double below = chart.style == Style::kStack && i > 0 ? drawn[i - 1].bold.back().value : 0.0;
    html += "<li " + colour(i) + "><i></i>" + escape(drawn[i].name) + " <b>" + value_text(chart, drawn[i].bold.back().value - below) +
            "</b></li>";
  }
  return html + "</ul>";
}

/// What the axis cuts off, in words; empty where nothing is.
std::string outlier_note(const Chart& chart, const std::vector<Drawn>& drawn, const Axis& y) {
  if (y.log) return "";
  double top = y.high, bottom = y.low;
  for (const Drawn& line : drawn) {
    for (const Point& p : line.thin) top = std::max(top, p.value), bottom = std::min(bottom, p.value);
  }
  std::string text;
  if (top > y.high) text += " Rare peaks reach " + value_text(chart, top) + ".";
  if (bottom < y.low) text += " Rare dips reach " + value_text(chart, bottom) + ".";
  return text;
}

std::string lines_svg(const Chart& chart, const std::vector<Drawn>& drawn, const Axis& x, const Axis& y) {
  std::string svg;
  for (size_t i = 0; i < drawn.size(); ++i) {
    if (chart.style == Style::kStack) {
      Series below = i > 0 ? drawn[i - 1].bold : drawn[i].bold;
      if (i == 0) std::for_each(below.begin(), below.end(), [](Point& p) { p.value = 0.0; });
      svg += "<path class=\"layer\" " + colour(i) + " d=\"" + area_of(below, drawn[i].bold, x, y) + "\"/>";
    }
    if (!drawn[i].thin.empty()) svg += "<path class=\"thin\" " + colour(i) + " d=\"" + path_of(drawn[i].thin, x, y) + "\"/>";
  }
  for (size_t i = drawn.size(); i-- > 0;) {  // the first line on top
    const Series& bold = drawn[i].bold;
    svg += "<path class=\"bold\" data-name=\"" + escape(drawn[i].name) + "\" " + colour(i) + " d=\"" + path_of(bold, x, y) + "\"/>";
    if (bold.size() > 1 && (chart.style != Style::kPoints || bold.size() > kDottedUpTo)) continue;
    std::string dots;  // lines of no length with round ends stay round however the plot is stretched
    for (const Point& p : bold) dots += path_of({p}, x, y) + "h.01";
    svg += "<path class=\"dots\" " + colour(i) + " d=\"" + dots + "\"/>";
  }
  return svg;
}

std::string marks_svg(const std::vector<double>& marks, const Axis& x) {
  std::string svg;
  for (const double step : marks) {
    if (step >= x.low && step <= x.high) svg += "<path class=\"mark\" d=\"M" + coordinate(x.position(step)) + " 0V1000\"/>";
  }
  return svg;
}

std::string plot(const Chart& chart, const std::vector<Drawn>& drawn, const Series& low, const Series& high, const Axis& x, const Axis& y,
                 const std::vector<double>& marks) {
  const auto share = [](const Axis& axis, double tick) { return coordinate(100.0 * (tick - axis.low) / (axis.high - axis.low)); };
  std::string grid, y_labels, x_labels;
  for (const Tick& tick : y.ticks) {
    const std::string height = coordinate(1000.0 * (y.high - tick.value) / (y.high - y.low));
    grid += "<path class=\"" + std::string(tick.value == y.low ? "base" : "grid") + "\" d=\"M0 " + height + "H1000\"/>";
    y_labels += "<span style=\"bottom:" + share(y, tick.value) + "%\">" + tick.label + "</span>";
  }
  for (const Tick& tick : x.ticks) x_labels += "<span style=\"left:" + share(x, tick.value) + "%\">" + tick.label + "</span>";
  std::string band;
  if (!low.empty()) band = "<path class=\"band\" " + colour(0) + " d=\"" + area_of(low, high, x, y) + "\"/>";
  std::string data = " data-x0=\"" + exact(x.low) + "\" data-x1=\"" + exact(x.high) + "\" data-y0=\"" + exact(y.low) + "\" data-y1=\"" +
                     exact(y.high) + "\"";
  if (y.log) data += " data-log=\"1\"";
  if (chart.percent) data += " data-percent=\"1\"";
  if (chart.style == Style::kStack) data += " data-stack=\"1\"";
  return "<div class=\"plot\"><div class=\"y\">" + y_labels + "</div><div class=\"area\"" + data + "><svg viewBox=\"0 0 1000 1000\" " +
         "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" + escape(chart.title) + "\">" + grid + band + marks_svg(marks, x) +
         lines_svg(chart, drawn, x, y) + "</svg></div><div class=\"unit\">step</div><div class=\"x\">" + x_labels + "</div></div>";
}

}  // namespace

std::string draw(Chart chart, double first_step, double last_step, const std::vector<double>& marks) {
  std::erase_if(chart.lines, [](const Line& line) { return line.series.empty(); });
  if (chart.lines.empty()) return "";
  if (chart.lines.size() > kColours) {
    chart.note += " " + std::to_string(chart.lines.size() - kColours) + " more are not drawn.";
    chart.lines.resize(kColours);
  }
  const std::vector<Drawn> drawn = prepare(chart);
  Series low, high;
  if (chart.low.size() > 1 && chart.low.size() == chart.high.size()) {
    low = moving_average(chart.low, average_window(chart.low.size()), kBuckets);
    high = moving_average(chart.high, average_window(chart.high.size()), kBuckets);
  }
  const Axis x = step_axis(first_step, last_step), y = value_axis(chart, drawn, low, high);
  return "<figure><figcaption><h3>" + escape(chart.title) + "</h3>" + legend(chart, drawn) + "<p>" +
         escape(chart.note + outlier_note(chart, drawn, y)) + "</p></figcaption>" + plot(chart, drawn, low, high, x, y, marks) +
         "</figure>\n";
}

}  // namespace grpo::report
