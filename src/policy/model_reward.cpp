#include "policy/model_reward.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>

#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/config.h"
#include "grpo/policy/policy.h"

namespace grpo {
namespace {

constexpr int64_t kMaxTokens = 8192;  // of one pass

class ModelReward final : public Reward {
 public:
  explicit ModelReward(const NamedOptions& options) {
    std::string path;
    read_options("reward_model", options, [&](ConfigVisitor& v) {
      v.field("path", path, "A reward model's folder.");
      v.field("add_special_tokens", special_, "Whether the tokenizer adds its own before the prompt.");
    });
    if (path.empty()) fail_usage("reward_model", "expected path, the folder of a reward model");
    policy_ = load_policy({.path = path, .tokenizer = {}, .new_model = {}}, 0);
    if (policy_.model->value_head() == nullptr) {
      fail_usage("reward_model", "expected a sequence classifier with a score head in " + path + "; got a language model");
    }
  }

  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext&) override {
    const c10::NoGradGuard no_grad;
    const c10::DeviceGuard device(policy_.model->device());  // the calling thread may never have chosen one
    PackedTokens packed;
    size_t first = 0;
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto ids = ids_of(batch[i]);
      if (packed.num_tokens() > 0 && packed.num_tokens() + static_cast<int64_t>(ids.size()) > kMaxTokens) {
        judge(packed, scores.subspan(first, i - first));
        packed = {};
        first = i;
      }
      packed.add_segment(ids);
      packed.add_pair(packed.num_tokens() - 1, 0, packed.num_pairs());
    }
    if (packed.num_tokens() > 0) judge(packed, scores.subspan(first));
  }

 private:
  std::vector<int32_t> ids_of(const Completion& completion) const {
    auto ids = policy_.encode(*completion.problem, completion.prompt, special_);
    const bool chat = !special_ && policy_.chat_template.has_value();
    const auto text = policy_.encode_completion(*completion.problem, {.prompt_template = chat ? "chat" : "plain"}, completion.text);
    ids.insert(ids.end(), text.begin(), text.end());
    const int64_t longest = policy_.model->config().max_position_embeddings;
    GRPO_CHECK(static_cast<int64_t>(ids.size()) <= longest, "reward_model",
               "expected at most " + std::to_string(longest) + " tokens; got " + std::to_string(ids.size()));
    return ids;
  }

  void judge(const PackedTokens& packed, std::span<Score> scores) const {
    const at::Tensor values = policy_.model->logprobs(packed, {.logprobs = false, .values = true}).values.to(at::kCPU);
    for (size_t i = 0; i < scores.size(); ++i) scores[i].value = values.const_data_ptr<float>()[i];
  }

  Policy policy_;
  bool special_ = true;
};

}  // namespace

std::unique_ptr<Reward> make_model_reward(const NamedOptions& options) { return std::make_unique<ModelReward>(options); }

}  // namespace grpo
