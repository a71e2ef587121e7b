#include "trainer/problem_picker.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "grpo/core/error.h"

namespace grpo {

ProblemPicker::ProblemPicker(const AlgorithmSection& config, int64_t problems)
    : replay_fraction_(config.replay_fraction),
      replay_max_(config.replay_max_pass_rate),
      curriculum_max_(config.curriculum_max_pass_rate),
      rates_(static_cast<size_t>(problems), -1.0) {}

std::vector<int64_t> ProblemPicker::pick(int64_t count, const std::function<int64_t()>& next) {
  std::vector<int64_t> items;
  const auto replayed =
      std::min(static_cast<int64_t>(std::floor(replay_fraction_ * static_cast<double>(count))), static_cast<int64_t>(hard_.size()));
  items.assign(hard_.begin(), hard_.begin() + replayed);
  hard_.erase(hard_.begin(), hard_.begin() + replayed);
  auto patience = static_cast<int64_t>(rates_.size());
  while (static_cast<int64_t>(items.size()) < count) {
    const int64_t item = next();
    if (rates_[static_cast<size_t>(item)] > curriculum_max_ && patience-- > 0) continue;
    items.push_back(item);
  }
  return items;
}

void ProblemPicker::note(int64_t item, double pass_rate) {
  if (std::isnan(pass_rate)) return;
  rates_[static_cast<size_t>(item)] = pass_rate;
  const bool waits = std::find(hard_.begin(), hard_.end(), item) != hard_.end();
  if (replay_fraction_ > 0.0 && pass_rate <= replay_max_ && !waits) hard_.push_back(item);
}

std::vector<double> ProblemPicker::state() const {
  if (replay_fraction_ <= 0.0 && curriculum_max_ >= 1.0) return {};
  std::vector<double> state{static_cast<double>(rates_.size())};
  state.insert(state.end(), rates_.begin(), rates_.end());
  for (const int64_t item : hard_) state.push_back(static_cast<double>(item));
  return state;
}

void ProblemPicker::restore(const std::vector<double>& state) {
  if (state.empty()) return;
  const auto problems = static_cast<double>(rates_.size());
  GRPO_CHECK(state.front() == problems && state.size() > rates_.size(), "checkpoint",
             "expected pass rates of " + std::to_string(rates_.size()) + " problems; got those of other data");
  const auto begin = state.begin() + 1, end = begin + static_cast<int64_t>(rates_.size());
  hard_.clear();
  for (auto it = end; it != state.end(); ++it) {
    GRPO_CHECK(*it >= 0.0 && *it < problems, "checkpoint", "expected hard problems among the training problems");
    hard_.push_back(static_cast<int64_t>(*it));
  }
  rates_.assign(begin, end);
}

}  // namespace grpo
