#include <string>

#include "reward/builtin.h"
#include "reward/tags.h"

namespace grpo {
namespace {

struct TagCountOptions {
  bool think_prefilled = false;
};

void describe(ConfigVisitor& visitor, TagCountOptions& options) {
  visitor.field("think_prefilled", options.think_prefilled,
                "the completion begins inside a thought, as it does in any case where its prompt ends with <think>");
}

/// 0.25 for each of the four tags that stands exactly once, those of an answer outside the thought.
class TagCountReward final : public CompletionReward {
 public:
  explicit TagCountReward(const TagCountOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const int tags = single_tags(with_prefilled_think(completion, options_.think_prefilled));
    return {0.25 * tags, "", std::to_string(tags) + (tags == 1 ? " tag" : " tags")};
  }

  TagCountOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_tag_count_reward(const RewardOptions& options) {
  return std::make_unique<TagCountReward>(read_options<TagCountOptions>("tag_count", options));
}

}  // namespace grpo
