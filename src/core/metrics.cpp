#include "grpo/core/metrics.h"

#include <cmath>

#include "grpo/core/error.h"

namespace grpo {

Metrics::Figure* Metrics::find_or_start(std::string_view name, Kind kind, double value) {
  const auto found = figures_.find(name);
  if (found == figures_.end()) {
    figures_.emplace(name, Figure{kind, value, 1});
    return nullptr;
  }
  GRPO_CHECK(found->second.kind == kind, "Metrics", "expected one kind of accumulator for '" + std::string(name) + "'; got two");
  return &found->second;
}

void Metrics::add(std::string_view name, double value) {
  if (Figure* figure = find_or_start(name, Kind::kMean, value)) {
    figure->value += value;
    ++figure->count;
  }
}

void Metrics::set(std::string_view name, double value) {
  if (Figure* figure = find_or_start(name, Kind::kLast, value)) figure->value = value;
}

void Metrics::min(std::string_view name, double value) {
  Figure* figure = find_or_start(name, Kind::kMin, value);
  if (figure && (value < figure->value || std::isnan(value))) figure->value = value;
}

void Metrics::max(std::string_view name, double value) {
  Figure* figure = find_or_start(name, Kind::kMax, value);
  if (figure && (value > figure->value || std::isnan(value))) figure->value = value;
}

std::map<std::string, double> Metrics::take() {
  std::map<std::string, double> result;
  for (const auto& [name, figure] : figures_) {
    result.emplace_hint(result.end(), name, figure.kind == Kind::kMean ? figure.value / static_cast<double>(figure.count) : figure.value);
  }
  figures_.clear();
  return result;
}

}  // namespace grpo
