#include "run/disk_plan.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <iterator>
#include <system_error>

#include "grpo/core/error.h"

namespace grpo {

double peak_bytes(const DiskPlan& plan) {
  const auto present = static_cast<int64_t>(plan.present.size());
  if (plan.limit == 0 || plan.limit - present >= plan.checkpoints)  // none is removed
    return plan.checkpoint * static_cast<double>(plan.checkpoints) + plan.model;
  std::deque<double> kept(plan.present.begin(), plan.present.end());
  double used = 0, peak = 0;
  const int64_t until_all_alike = std::min(plan.checkpoints, plan.limit + 1);
  for (int64_t i = 0; i < until_all_alike; ++i) {
    kept.push_back(plan.checkpoint);
    used += plan.checkpoint;
    peak = std::max(peak, used);
    for (; static_cast<int64_t>(kept.size()) > plan.limit; kept.pop_front()) used -= kept.front();
  }
  return std::max(peak, used + plan.model);
}

void expect_room(const DiskPlan& plan, const std::filesystem::path& run, double free) {
  const double needed = peak_bytes(plan);
  GRPO_CHECK(needed <= free, "output_dir",
             "expected room for checkpoints of " + size_text(plan.checkpoint) + " and a final model of " + size_text(plan.model) + ", " +
                 size_text(needed) + " in all; got " + size_text(free) + " that are free at " + run.string() +
                 ". A lower save_total_limit, or another output_dir, may help");
}

std::optional<double> free_bytes(const std::filesystem::path& run) {
  std::error_code error;
  std::filesystem::path there = std::filesystem::absolute(run, error);
  while (!error && !std::filesystem::exists(there, error) && there.has_parent_path() && there != there.root_path())
    there = there.parent_path();
  const auto space = std::filesystem::space(there, error);
  return error ? std::nullopt : std::optional(static_cast<double>(space.available));
}

std::string disk_line(const DiskPlan& plan, const std::filesystem::path& run) {
  const auto free = free_bytes(run);
  return "disk: at most " + size_text(peak_bytes(plan)) + ", for checkpoints of " + size_text(plan.checkpoint) + " and a final model of " +
         size_text(plan.model) + "; " + (free ? size_text(*free) + " are free" : "what is free is not known");
}

std::string size_text(double bytes) {
  static constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024.0 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1024.0;
  char text[48];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

}  // namespace grpo
