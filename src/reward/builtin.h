#pragma once

#include <memory>

#include "grpo/reward/reward.h"

namespace grpo {

std::unique_ptr<Reward> make_accuracy_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_code_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_countdown_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_equations_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_format_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_length_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_math_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_repetition_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_soft_overlong_reward(const RewardOptions& options);
std::unique_ptr<Reward> make_tag_count_reward(const RewardOptions& options);

/// A reward that judges every completion by itself.
class CompletionReward : public Reward {
 public:
  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) final;

 private:
  virtual Score judge(const Completion& completion, const RewardContext& context) const = 0;
};

}  // namespace grpo
