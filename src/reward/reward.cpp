#include "grpo/reward/reward.h"

#include "reward/builtin.h"

namespace grpo {

std::string Score::counted_as() const {
  if (!kind.empty()) return kind;
  if (!defined()) return "undefined";
  return value > 0.0 ? "positive" : value < 0.0 ? "negative" : "zero";
}

void RewardContext::log_metric(const std::string& name, double value) {
  auto& [sum, count] = metrics[name];
  sum += value;
  ++count;
}

void CompletionReward::score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) {
  for (size_t i = 0; i < batch.size(); ++i) scores[i] = judge(batch[i], context);
}

}  // namespace grpo
