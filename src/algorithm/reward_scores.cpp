#include "reward_scores.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "grpo/core/error.h"

namespace grpo {

Moments moments(const Values& values, const Rows& rows) {
  double sum = 0, low = std::numeric_limits<double>::infinity(), high = -low, count = 0;
  for (const size_t row : rows) {
    const double value = values[row];
    if (std::isnan(value)) continue;
    ++count;
    sum += value;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (count == 0) return {.mean = kNan, .std = kNan, .count = 0};
  const double mean = sum / count;
  if (count == 1) return {.mean = mean, .std = kNan, .count = 1};
  if (!differ(low, high)) return {.mean = mean, .std = 0.0, .count = count};
  double squares = 0;
  for (const size_t row : rows) {
    if (!std::isnan(values[row])) squares += (values[row] - mean) * (values[row] - mean);
  }
  return {.mean = mean, .std = std::sqrt(squares / (count - 1)), .count = count, .varied = true};
}

bool differ(double a, double b) { return std::abs(a - b) > kRoundingSpread * std::max(std::abs(a), std::abs(b)); }

Rows all_rows(size_t count) {
  Rows rows(count);
  std::iota(rows.begin(), rows.end(), size_t{0});
  return rows;
}

Values to_values(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const at::Tensor host = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  return {host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel()};
}

at::Tensor to_tensor(const Values& values) { return at::tensor(values, at::kDouble).to(at::kFloat); }

std::vector<Rows> rows_by_group(const std::vector<int64_t>& group_of) {
  std::map<int64_t, Rows> by_group;
  for (size_t row = 0; row < group_of.size(); ++row) by_group[group_of[row]].push_back(row);
  std::vector<Rows> groups;
  for (auto& [group, members] : by_group) groups.push_back(std::move(members));
  return groups;
}

Scores::Scores(const at::Tensor& rewards, const std::vector<int64_t>& group_of, const AdvantageConfig& config) {
  constexpr auto kWhere = "group_advantages";
  GRPO_CHECK(rewards.defined() && (rewards.dim() == 1 || rewards.dim() == 2) && rewards.size(0) > 0, kWhere,
             "expected rewards [B] or [B, F] with B > 0; got none of that shape");
  const auto rows = static_cast<size_t>(rewards.size(0)), count = static_cast<size_t>(rewards.numel()) / rows;
  const Values table = to_values(rewards);
  GRPO_CHECK(group_of.size() == rows, kWhere,
             "expected one group per row (" + std::to_string(rows) + "); got " + std::to_string(group_of.size()));
  weights = config.reward_weights.empty() ? Values(count, 1.0) : config.reward_weights;
  GRPO_CHECK(weights.size() == count, kWhere,
             "expected one reward weight per function (" + std::to_string(count) + "); got " + std::to_string(weights.size()));
  functions.assign(count, Values(rows));
  all = all_rows(rows);
  for (const size_t row : all) {
    for (size_t f = 0; f < count; ++f) {
      functions[f][row] = table[row * count + f];
      GRPO_CHECK(!std::isinf(functions[f][row]), kWhere, "expected finite rewards or NaN; got infinity in row " + std::to_string(row));
    }
  }
  groups = rows_by_group(group_of);
  total = sum_over_functions([this](size_t f, size_t row) { return functions[f][row]; });
}

Values clipped(Values values, const AdvantageConfig& config) {
  if (config.reward_clip_range.empty()) return values;
  for (double& value : values) {  // NaN stays NaN
    value = std::clamp(value, config.reward_clip_range[0], config.reward_clip_range[1]);
  }
  return values;
}

}  // namespace grpo
