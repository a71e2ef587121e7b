#include "grpo/reward/registry.h"

#include "reward/builtin.h"

namespace grpo {
namespace {

class FunctionReward final : public Reward {
 public:
  explicit FunctionReward(std::function<Score(const Completion&, RewardContext&)> judge) : judge_(std::move(judge)) {}

  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) override {
    for (size_t i = 0; i < batch.size(); ++i) scores[i] = judge_(batch[i], context);
  }

 private:
  std::function<Score(const Completion&, RewardContext&)> judge_;
};

}  // namespace

void RewardRegistry::add_judge(std::string name, std::function<Judge(const RewardOptions&)> make_judge) {
  FactoryTable::add(std::move(name), [make_judge = std::move(make_judge)](const RewardOptions& options) {
    return std::make_unique<FunctionReward>(make_judge(options));
  });
}

RewardRegistry builtin_rewards() {
  RewardRegistry registry;
  registry.add("accuracy", make_accuracy_reward);
  registry.add("code", make_code_reward);
  registry.add("countdown", make_countdown_reward);
  registry.add("equations", make_equations_reward);
  registry.add("format", make_format_reward);
  registry.add("length", make_length_reward);
  registry.add("math", make_math_reward);
  registry.add("repetition", make_repetition_reward);
  registry.add("soft_overlong", make_soft_overlong_reward);
  registry.add("tag_count", make_tag_count_reward);
  return registry;
}

}  // namespace grpo
