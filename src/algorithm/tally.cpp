#include "grpo/algorithm/tally.h"

#include <algorithm>
#include <limits>

namespace grpo {

void Tally::merge(const Tally& other) {
  if (other.count == 0) return;
  if (count == 0 || kind == Kind::kMean || kind == Kind::kSum) {
    value = count == 0 ? other.value : value + other.value;
  } else {
    value = kind == Kind::kMin ? std::min(value, other.value) : std::max(value, other.value);
  }
  count += other.count;
}

double Tally::result() const {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  return kind == Kind::kMean ? value / count : value;
}

void merge(Tallies& into, const Tallies& from) {
  for (const auto& [name, tally] : from) {
    const auto [found, is_new] = into.try_emplace(name, tally);
    if (!is_new) found->second.merge(tally);
  }
}

}  // namespace grpo
