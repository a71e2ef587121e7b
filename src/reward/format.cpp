#include "grpo/data/strings.h"
#include "reward/builtin.h"

namespace grpo {
namespace {

struct FormatOptions {
  bool partial = false;
  bool think_prefilled = false;
};

void describe(ConfigVisitor& visitor, FormatOptions& options) {
  visitor.field("partial", options.partial, "give 0.125 for each tag that stands exactly once where the form is not met");
  visitor.field("think_prefilled", options.think_prefilled, "the prompt ends with <think>, so the completion begins inside it");
}

/// <think>…</think>, white space, <answer>…</answer>, every tag once, and nothing but white space around (DeepSeek-R1, arXiv
/// 2501.12948, 2.2.2).
bool has_r1_zero_form(std::string_view text) {
  if (single_tags(text) != static_cast<int>(kTags.size())) return false;
  text = trim(text);
  const size_t think_end = text.find(kTags[1]), answer = text.find(kTags[2]);
  if (!text.starts_with(kTags[0]) || !text.ends_with(kTags[3]) || answer < think_end) return false;
  const size_t between = think_end + kTags[1].size();
  return trim(text.substr(between, answer - between)).empty();
}

class FormatReward final : public CompletionReward {
 public:
  explicit FormatReward(const FormatOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const std::string text = options_.think_prefilled ? std::string(kTags[0]) + completion.text : completion.text;
    if (has_r1_zero_form(text)) return 1.0;
    return {options_.partial ? 0.125 * single_tags(text) : 0.0, "not <think>…</think> <answer>…</answer>"};
  }

  FormatOptions options_;
};

}  // namespace

int single_tags(std::string_view text) {
  int count = 0;
  for (const std::string_view tag : kTags) {
    const size_t first = text.find(tag);
    if (first != std::string_view::npos && text.find(tag, first + 1) == std::string_view::npos) ++count;
  }
  return count;
}

std::unique_ptr<Reward> make_format_reward(const RewardOptions& options) {
  return std::make_unique<FormatReward>(read_options<FormatOptions>("format", options));
}

}  // namespace grpo
