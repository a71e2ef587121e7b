#include <ATen/ops/empty.h>

#include <algorithm>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

template <class T>
at::Tensor uploaded(const std::vector<T>& values, at::ScalarType type, at::Device device) {
  const at::Tensor host = at::empty({static_cast<int64_t>(values.size())}, type);
  std::copy(values.begin(), values.end(), host.data_ptr<T>());
  return host.to(device, /*non_blocking=*/true);
}

void check(const PackedTokens& batch) {
  int64_t next = 0;
  for (const auto& s : batch.segments) {
    GRPO_CHECK(s.begin == next && s.end > s.begin, "packed batch", "expected non-empty segments that cover the rows in order");
    GRPO_CHECK(s.prefix_begin >= 0 && s.prefix_begin <= s.prefix_end && s.prefix_end <= s.begin, "packed batch",
               "expected a prefix of earlier rows; got rows " + std::to_string(s.prefix_begin) + " to " + std::to_string(s.prefix_end));
    next = s.end;
  }
  GRPO_CHECK(next == batch.num_tokens() && batch.positions.size() == batch.tokens.size(), "packed batch",
             "expected segments and positions for " + std::to_string(batch.num_tokens()) + " tokens; got " + std::to_string(next));
}

/// Sequences that lie one behind the other.
struct Runs {
  std::vector<int64_t> rows;
  std::vector<int32_t> offsets = {0};
  int64_t longest = 0;

  void add(int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) rows.push_back(row);
  }
  void close() {
    longest = std::max(longest, static_cast<int64_t>(rows.size()) - offsets.back());
    offsets.push_back(static_cast<int32_t>(rows.size()));
  }
};

void add_prefixes(AttentionPlan& plan, at::Device device) {
  Runs queries, keys;
  for (auto s = plan.segments.begin(); s != plan.segments.end();) {
    const auto shares = [&s](const auto& other) { return other.prefix_begin == s->prefix_begin && other.prefix_end == s->prefix_end; };
    const auto end = std::find_if_not(s, plan.segments.end(), shares);
    if (s->prefix_end > s->prefix_begin) {
      for (auto each = s; each != end; ++each) queries.add(each->begin, each->end);
      keys.add(s->prefix_begin, s->prefix_end);
      queries.close();
      keys.close();
    }
    s = end;
  }
  if (queries.rows.empty()) return;
  plan.query_rows = upload(queries.rows, device);
  plan.key_rows = upload(keys.rows, device);
  plan.query_offsets = upload(queries.offsets, device);
  plan.key_offsets = upload(keys.offsets, device);
  plan.longest_query = queries.longest;
  plan.longest_key = keys.longest;
}

void add_tables(AttentionPlan& plan, at::Device device) {
  std::vector<int64_t> table;
  std::vector<int32_t> offsets = {0};
  for (const auto& s : plan.segments) {
    table.insert(table.end(), {s.begin, s.end, s.prefix_begin, s.prefix_end});
    offsets.push_back(static_cast<int32_t>(s.end));
  }
  plan.table = upload(table, device).view({-1, 4});
  plan.offsets = upload(offsets, device);
  add_prefixes(plan, device);
}

}  // namespace

at::Tensor upload(const std::vector<int32_t>& values, at::Device device) { return uploaded(values, at::kInt, device); }
at::Tensor upload(const std::vector<int64_t>& values, at::Device device) { return uploaded(values, at::kLong, device); }

PackedLayout::PackedLayout(const PackedTokens& batch, at::Device device) {
  check(batch);
  positions = upload(batch.positions, device);
  auto plan = c10::make_intrusive<AttentionPlan>();
  plan->rows = batch.num_tokens();
  for (const auto& s : batch.segments) {
    plan->segments.push_back({s.begin, s.end, s.prefix_begin, s.prefix_end});
    plan->longest = std::max(plan->longest, s.end - s.begin);
  }
  if (on_cuda(device)) add_tables(*plan, device);
  attention = std::move(plan);
}

}  // namespace grpo::ops
