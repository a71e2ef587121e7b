#include "grpo/data/strings.h"
#include "reward/builtin.h"

namespace grpo {
namespace {

struct FormatOptions {
  bool partial = false;
  bool allow_empty = false;
  bool think_prefilled = false;
};

void describe(ConfigVisitor& visitor, FormatOptions& options) {
  visitor.field("partial", options.partial, "give 0.125 for each tag that stands exactly once where the form is not met");
  visitor.field("allow_empty", options.allow_empty, "take the form also with nothing, or only white space, between two tags");
  visitor.field("think_prefilled", options.think_prefilled, "the prompt ends with <think>, so the completion begins inside it");
}

/// <think>…</think>, white space, <answer>…</answer>, every tag once, and nothing but white space around (DeepSeek-R1, arXiv
/// 2501.12948, 2.2.2). Without `allow_empty`, something stands between the tags of each pair: a form without content is no format learnt.
bool has_r1_zero_form(std::string_view text, bool allow_empty) {
  if (single_tags(text) != static_cast<int>(kTags.size())) return false;
  text = trim(text);
  const size_t think_end = text.find(kTags[1]), answer = text.find(kTags[2]);
  if (!text.starts_with(kTags[0]) || !text.ends_with(kTags[3]) || answer < think_end) return false;
  const auto empty = [text](size_t begin, size_t end) { return trim(text.substr(begin, end - begin)).empty(); };
  if (!empty(think_end + kTags[1].size(), answer)) return false;
  return allow_empty || (!empty(kTags[0].size(), think_end) && !empty(answer + kTags[2].size(), text.size() - kTags[3].size()));
}

class FormatReward final : public CompletionReward {
 public:
  explicit FormatReward(const FormatOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const std::string text = options_.think_prefilled ? std::string(kTags[0]) + completion.text : completion.text;
    if (has_r1_zero_form(text, options_.allow_empty)) return 1.0;
    return {options_.partial ? 0.125 * single_tags(text) : 0.0, "not <think>…</think> <answer>…</answer>, or one of them empty"};
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
