#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "grpo/algorithm/batch.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

/// Something that stays together: sequences [begin, end), whose rows number `cost`.
struct Unit {
  int64_t begin, end, cost;
};

/// Merges neighbours, first to last, while `overhead` and their costs fit the capacity; a unit that never fits stays alone.
std::vector<Unit> merge_greedily(const std::vector<Unit>& units, int64_t overhead, int64_t capacity) {
  std::vector<Unit> merged;
  for (const Unit& unit : units) {
    if (!merged.empty() && merged.back().cost + unit.cost <= capacity) {
      merged.back().end = unit.end;
      merged.back().cost += unit.cost;
    } else {
      merged.push_back({unit.begin, unit.end, overhead + unit.cost});
    }
  }
  return merged;
}

/// As few parts as the capacity allows, and of those cuts one with the smallest largest part.
std::vector<Unit> merge_evenly(const std::vector<Unit>& units, int64_t overhead, int64_t capacity) {
  const size_t parts = merge_greedily(units, overhead, capacity).size();
  int64_t low = 0, high = capacity;  // the number of parts never grows with the capacity
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (merge_greedily(units, overhead, middle).size() <= parts) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return merge_greedily(units, overhead, high);
}

}  // namespace

std::vector<Batch> Batch::split(const SplitOptions& options) const try {
  GRPO_CHECK(options.max_tokens > 0, "Batch::split", "expected max_tokens above 0; got " + std::to_string(options.max_tokens));
  std::vector<Unit> units;  // groups, or the parts of groups that do not fit
  std::vector<Unit> group;  // sequences that share a prompt
  int64_t prompt = 0, sample = 0;
  const auto close_group = [&] {
    const int64_t capacity = options.keep_groups ? std::numeric_limits<int64_t>::max() / 2 : options.max_tokens;
    const std::vector<Unit> parts = merge_evenly(group, prompt, capacity);
    units.insert(units.end(), parts.begin(), parts.end());
    group.clear();
  };
  for (const Segment& segment : segments) {
    const int64_t length = segment.end - segment.begin;
    if (segment.prefix_end > segment.prefix_begin) {
      group.push_back({sample, sample + 1, length});
      ++sample;
    } else {
      close_group();
      prompt = length;
    }
  }
  close_group();

  std::vector<Batch> micro_batches;
  for (const Unit& unit : merge_evenly(units, 0, options.max_tokens)) {
    std::vector<int64_t> chosen(static_cast<size_t>(unit.end - unit.begin));
    std::iota(chosen.begin(), chosen.end(), unit.begin);
    micro_batches.push_back(select(std::move(chosen)));
  }
  return micro_batches;
} catch (...) {
  rethrow_as_error("Batch::split");
}

}  // namespace grpo
