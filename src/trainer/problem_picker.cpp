#include "trainer/problem_picker.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "grpo/core/config.h"
#include "grpo/core/error.h"

namespace grpo {

ProblemPicker::ProblemPicker(const AlgorithmSection& config, int64_t problems)
    : replay_fraction_(config.replay_fraction),
      replay_max_(config.replay_max_pass_rate),
      curriculum_max_(config.curriculum_max_pass_rate),
      rates_(static_cast<size_t>(problems), -1.0),
      waits_(static_cast<size_t>(problems), false) {}

std::vector<int64_t> ProblemPicker::pick(int64_t count, DataOrder& order) {
  const auto replayed =
      std::min(static_cast<int64_t>(std::floor(replay_fraction_ * static_cast<double>(count))), static_cast<int64_t>(hard_.size()));
  std::vector<int64_t> items(hard_.begin(), hard_.begin() + replayed);
  hard_.erase(hard_.begin(), hard_.begin() + replayed);
  for (const int64_t item : items) waits_[static_cast<size_t>(item)] = false;
  auto patience = static_cast<int64_t>(rates_.size());
  while (static_cast<int64_t>(items.size()) < count) {
    const int64_t item = order.next();
    if (rates_[static_cast<size_t>(item)] > curriculum_max_ && patience-- > 0) continue;
    items.push_back(item);
  }
  return items;
}

void ProblemPicker::note(int64_t item, double pass_rate) {
  if (!on() || std::isnan(pass_rate)) return;
  double& rate = rates_[static_cast<size_t>(item)];
  earlier_.emplace_back(item, rate);
  rate = pass_rate;
  if (replay_fraction_ <= 0.0 || pass_rate > replay_max_ || waits_[static_cast<size_t>(item)]) return;
  hard_.push_back(item);
  waits_[static_cast<size_t>(item)] = true;
}

void ProblemPicker::mark() {
  marked_hard_ = hard_;
  earlier_.clear();
}

void ProblemPicker::roll_back() {
  set_hard(marked_hard_);
  for (; !earlier_.empty(); earlier_.pop_back()) rates_[static_cast<size_t>(earlier_.back().first)] = earlier_.back().second;
}

void ProblemPicker::describe_state(ConfigVisitor& v) {
  std::vector<double> rates, hard;
  if (on()) rates = rates_, hard.assign(hard_.begin(), hard_.end());
  v.field("pass_rates", rates, "");
  v.field("hard", hard, "");
  if (!on() || rates.empty()) return;
  const auto problems = static_cast<double>(rates_.size());
  GRPO_CHECK(rates.size() == rates_.size(), "checkpoint",
             "expected pass rates of " + std::to_string(rates_.size()) + " problems; got those of other data");
  GRPO_CHECK(std::ranges::all_of(hard, [&](double item) { return item >= 0.0 && item < problems; }), "checkpoint",
             "expected hard problems among the training problems");
  rates_ = std::move(rates);
  set_hard({hard.begin(), hard.end()});
}

void ProblemPicker::set_hard(std::deque<int64_t> hard) {
  hard_ = std::move(hard);
  waits_.assign(waits_.size(), false);
  for (const int64_t item : hard_) waits_[static_cast<size_t>(item)] = true;
}

}  // namespace grpo
