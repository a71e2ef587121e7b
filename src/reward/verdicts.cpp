#include "grpo/reward/verdicts.h"

#include <algorithm>
#include <tuple>

#include "grpo/data/strings.h"

namespace grpo {
namespace {

constexpr size_t kMostKinds = 16, kKindBytes = 40;
constexpr size_t kExamples = 5, kAnswerBytes = 200, kReasonBytes = 300;
constexpr size_t kMostMisses = 24;
constexpr double kLeastNearness = 0.5;

/// The nearest first; equal ones in an order that does not depend on when they came.
bool comes_before(const NearMiss& a, const NearMiss& b) {
  return std::tie(b.nearness, a.function, a.gold, a.given) < std::tie(a.nearness, b.function, b.gold, b.given);
}

}  // namespace

void KindTally::add(std::string_view kind) { ++counts_[clip_text(collapse_white_space(kind), kKindBytes)]; }

KindCounts KindTally::counts() const {
  KindCounts counts(counts_.begin(), counts_.end());
  std::ranges::stable_sort(counts, [](const auto& a, const auto& b) { return a.second > b.second; });
  if (counts.size() <= kMostKinds) return counts;
  int64_t others = 0;
  for (size_t i = kMostKinds; i < counts.size(); ++i) others += counts[i].second;
  counts.resize(kMostKinds);
  counts.emplace_back("other kinds", others);
  return counts;
}

std::vector<UnreadableGolds> unreadable_golds(const RewardSet& rewards, const std::vector<Problem>& problems) {
  std::vector<UnreadableGolds> found;
  for (size_t f = 0; f < rewards.rewards.size(); ++f) {
    UnreadableGolds golds{.function = rewards.names[f], .problems = static_cast<int64_t>(problems.size()), .unreadable = 0, .examples = {}};
    for (const Problem& problem : problems) {
      const std::string reason = rewards.rewards[f]->unreadable(problem);
      if (reason.empty()) continue;
      ++golds.unreadable;
      if (golds.examples.size() < kExamples)
        golds.examples.push_back({problem.index, clip_text(problem.answer, kAnswerBytes), clip_text(reason, kReasonBytes)});
    }
    if (golds.unreadable > 0) found.push_back(std::move(golds));
  }
  return found;
}

std::string to_string(const UnreadableGolds& golds) {
  const auto& first = golds.examples.front();
  return "reward " + golds.function + " can give no verdict on " + std::to_string(golds.unreadable) + " of " +
         std::to_string(golds.problems) + " problems, such as " + std::to_string(first.problem) +
         (first.gold.empty() ? "" : " ('" + clip_text(collapse_white_space(first.gold), 80) + "')") + ": " + first.reason;
}

void NearMisses::add(const std::string& function, const Score& score, const Problem& problem, int64_t step) {
  if (!score.defined() || score.kind == kRight || score.gold.empty() || score.given.empty()) return;
  NearMiss miss{.function = function,
                .gold = clip_text(score.gold, kAnswerBytes),
                .given = clip_text(score.given, kAnswerBytes),
                .reason = clip_text(score.reason, kReasonBytes),
                .nearness = nearness(score.gold, score.given),
                .problem = problem.index,
                .count = 1,
                .first_step = step,
                .last_step = step};
  if (miss.nearness < kLeastNearness) return;
  const auto place = std::ranges::lower_bound(nearest_, miss, comes_before);
  if (place != nearest_.end() && !comes_before(miss, *place)) {  // that pair
    ++place->count;
    place->last_step = step;
    return;
  }
  nearest_.insert(place, std::move(miss));
  if (nearest_.size() > kMostMisses) nearest_.pop_back();
}

void NearMisses::describe_state(ConfigVisitor& visitor) {
  visitor.list(
      "near_misses", "", nearest_.size(), [this](size_t n) { nearest_.resize(n); },
      [this](ConfigVisitor& v, size_t i) {
        NearMiss& miss = nearest_[i];
        v.field("function", miss.function, "");
        v.field("gold", miss.gold, "");
        v.field("given", miss.given, "");
        v.field("reason", miss.reason, "");
        v.field("nearness", miss.nearness, "");
        v.field("problem", miss.problem, "");
        v.field("count", miss.count, "");
        v.field("first_step", miss.first_step, "");
        v.field("last_step", miss.last_step, "");
      });
}

}  // namespace grpo
