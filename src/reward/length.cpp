#include <algorithm>

#include "reward/builtin.h"

namespace grpo {
namespace {

struct LengthOptions {
  int64_t target = 1024;
};

void describe(ConfigVisitor& visitor, LengthOptions& options) {
  visitor.field("target", options.target, "tokens that cost nothing; twice as many score -1", {.min = 1});
}

/// 0 up to `target` tokens, then -(length - target) / target, at least -1.
class LengthReward final : public CompletionReward {
 public:
  explicit LengthReward(const LengthOptions& options) : target_(static_cast<double>(options.target)) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const auto length = static_cast<double>(completion.ids.size());
    return {std::clamp((target_ - length) / target_, -1.0, 0.0), "", length > target_ ? "beyond the target" : "within the target"};
  }

  double target_;
};

}  // namespace

std::unique_ptr<Reward> make_length_reward(const RewardOptions& options) {
  return std::make_unique<LengthReward>(read_options<LengthOptions>("length", options));
}

}  // namespace grpo
