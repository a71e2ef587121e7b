#include "report/series.h"

#include <algorithm>

namespace grpo::report {

size_t average_window(size_t points) { return points < 10 ? 1 : std::max<size_t>(3, points / 20); }

Series moving_average(const Series& series, size_t window, size_t buckets) {
  const size_t count = std::min(series.size(), buckets + 1);
  Series result;
  for (size_t k = 0; k < count; ++k) {
    const size_t i = count == 1 ? 0 : k * (series.size() - 1) / (count - 1);
    const size_t begin = i - std::min(i, window - 1), end = std::min(series.size(), i + window);
    double sum = 0.0, weights = 0.0;
    for (size_t j = begin; j < end; ++j) {
      const auto weight = static_cast<double>(window - (j < i ? i - j : j - i));
      sum += weight * series[j].value;
      weights += weight;
    }
    result.push_back({series[i].step, sum / weights});
  }
  return result;
}

Series extremes(const Series& series, size_t buckets) {
  if (series.size() <= 2 * buckets) return series;
  Series result;
  for (size_t b = 0; b < buckets; ++b) {
    const auto begin = series.begin() + static_cast<int64_t>(b * series.size() / buckets);
    const auto end = series.begin() + static_cast<int64_t>((b + 1) * series.size() / buckets);
    auto [low, high] = std::minmax_element(begin, end, [](const Point& x, const Point& y) { return x.value < y.value; });
    if (high < low) std::swap(low, high);
    result.push_back(*low);
    if (high != low) result.push_back(*high);
  }
  return result;
}

double mean(const Series& series, size_t begin, size_t end) {
  double sum = 0.0;
  for (size_t i = begin; i < end; ++i) sum += series[i].value;
  return sum / static_cast<double>(end - begin);
}

double value_at(const Series& series, double step, double otherwise) {
  const auto it = std::lower_bound(series.begin(), series.end(), step, [](const Point& p, double s) { return p.step < s; });
  return it != series.end() && it->step == step ? it->value : otherwise;
}

}  // namespace grpo::report
