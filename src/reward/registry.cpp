#include "grpo/reward/registry.h"

#include "reward/builtin.h"

namespace grpo {
namespace {

class FunctionReward final : public CompletionReward {
 public:
  explicit FunctionReward(std::function<double(const Completion&)> judge) : judge_(std::move(judge)) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override { return judge_(completion); }

  std::function<double(const Completion&)> judge_;
};

}  // namespace

void RewardRegistry::expect_no_options(const std::string& name, const RewardOptions& options) {
  read_options(name, options, [](ConfigVisitor&) {});
}

void RewardRegistry::add(std::string name, std::function<double(const Completion&)> judge) {
  FactoryTable::add(name, [name, judge = std::move(judge)](const RewardOptions& options) {
    expect_no_options(name, options);
    return std::make_unique<FunctionReward>(judge);
  });
}

RewardRegistry builtin_rewards() {
  RewardRegistry registry;
  registry.add("accuracy", make_accuracy_reward);
  registry.add("countdown", make_countdown_reward);
  registry.add("equations", make_equations_reward);
  registry.add("format", make_format_reward);
  registry.add("length", make_length_reward);
  registry.add("repetition", make_repetition_reward);
  registry.add("soft_overlong", make_soft_overlong_reward);
  registry.add("tag_count", make_tag_count_reward);
  return registry;
}

}  // namespace grpo
