#include "metric_list.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include <limits>

namespace grpo {

Chosen at_level(const TokenTensors& pairs, const at::Tensor& values, ImportanceSamplingLevel level) {
  if (level == ImportanceSamplingLevel::kToken) return {values, pairs.in_loss()};
  const at::Tensor means = pairs.mean(values);
  return {means, at::ones_like(means, at::kBool)};
}

void MetricList::add(std::string name, Tally::Kind kind, const Chosen& values) {
  const at::Tensor figures = values.values.detach().to(at::kDouble);
  const auto filled = [&](double filler) { return at::where(values.chosen, figures, at::full({}, filler, figures.options())); };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (kind) {
    case Tally::Kind::kMean:
    case Tally::Kind::kSum:
      figures_.push_back(filled(0.0).sum());
      break;
    case Tally::Kind::kMin:
      figures_.push_back(filled(kInfinity).min());
      break;
    case Tally::Kind::kMax:
      figures_.push_back(filled(-kInfinity).max());
      break;
  }
  figures_.push_back(values.chosen.sum(at::kDouble));
  entries_.push_back({std::move(name), kind});
}

Tallies MetricList::read() const {
  if (figures_.empty()) return {};
  const at::Tensor host = at::stack(figures_).cpu();
  const double* figure = host.const_data_ptr<double>();
  Tallies tallies;
  for (const Entry& entry : entries_) {
    tallies[entry.name] = {.kind = entry.kind, .value = figure[0], .count = figure[1]};
    figure += 2;
  }
  return tallies;
}

}  // namespace grpo
