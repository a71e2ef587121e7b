#include <algorithm>

#include "grpo/core/error.h"
#include "reward/builtin.h"

namespace grpo {
namespace {

struct SoftOverlongOptions {
  int64_t max_length = 0;
  int64_t cache = 0;
};

void describe(ConfigVisitor& visitor, SoftOverlongOptions& options) {
  visitor.field("max_length", options.max_length, "tokens from which on the score is -1; 0: max_completion_length", kNonNegative);
  visitor.field("cache", options.cache, "tokens before max_length over which the score falls from 0 to -1; 0: a fifth of max_length",
                kNonNegative);
}

/// DAPO's soft overlong punishment (arXiv 2503.14476, eq. 13).
class SoftOverlongReward final : public CompletionReward {
 public:
  explicit SoftOverlongReward(const SoftOverlongOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext& context) const override {
    const int64_t max_length = options_.max_length > 0 ? options_.max_length : context.max_completion_length;
    if (max_length <= 0) fail("soft_overlong", "expected max_length where completions have no limit; got 0");
    const int64_t cache = options_.cache > 0 ? options_.cache : std::max<int64_t>(1, max_length / 5);
    if (cache > max_length) {
      fail("soft_overlong", "expected a cache of at most max_length=" + std::to_string(max_length) + "; got " + std::to_string(cache));
    }
    const auto beyond = static_cast<double>(static_cast<int64_t>(completion.ids.size()) - (max_length - cache));
    const double score = std::clamp(-beyond / static_cast<double>(cache), -1.0, 0.0);
    return {score, "", score == 0.0 ? "short of the limit" : score > -1.0 ? "near the limit" : "at the limit"};
  }

  SoftOverlongOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_soft_overlong_reward(const RewardOptions& options) {
  return std::make_unique<SoftOverlongReward>(read_options<SoftOverlongOptions>("soft_overlong", options));
}

}  // namespace grpo
