#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "grpo/data/strings.h"
#include "reward/builtin.h"
#include "reward/tags.h"

namespace grpo {
namespace {

struct FormatOptions {
  bool partial = false;
  bool allow_empty = false;
  bool think_prefilled = false;
};

void describe(ConfigVisitor& visitor, FormatOptions& options) {
  visitor.field("partial", options.partial,
                "give 0.125 for each tag that stands exactly once, those of an answer outside the thought, where the form is not met");
  visitor.field("allow_empty", options.allow_empty, "take the form also where nothing, or nothing that says anything, is between two tags");
  visitor.field("think_prefilled", options.think_prefilled,
                "the completion begins inside a thought, as it does in any case where its prompt ends with <think>");
}

/// <think>…</think>, white space, <answer>…</answer>, every tag once, and nothing but white space around (DeepSeek-R1, arXiv
/// 2501.12948, 2.2.2): `kRight`, or what is wrong. Without `allow_empty`, both pairs hold something: a form without content is no format
/// learnt.
const char* kind_of_form(std::string_view text, bool allow_empty) {
  std::array<size_t, kTags.size()> at{};
  for (size_t i = 0; i < at.size(); ++i) {
    at[i] = text.find(kTags[i]);
    if (at[i] == std::string_view::npos) return "a tag is missing";
    if (text.find(kTags[i], at[i] + 1) != std::string_view::npos) return "a tag is repeated";
  }
  if (!std::ranges::is_sorted(at)) return "tags in another order";
  const auto after = [&](size_t i) {
    const size_t begin = at[i] + kTags[i].size();
    return text.substr(begin, i + 1 < at.size() ? at[i + 1] - begin : std::string_view::npos);
  };
  for (const std::string_view around : {text.substr(0, at[0]), after(1), after(3)}) {
    if (!trim(around).empty()) return "text around the tags";
  }
  if (!allow_empty && says_nothing(after(0))) return "empty thought";
  return !allow_empty && says_nothing(after(2)) ? "empty answer" : kRight;
}

class FormatReward final : public CompletionReward {
 public:
  explicit FormatReward(const FormatOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const std::string text = with_prefilled_think(completion, options_.think_prefilled);
    const std::string kind = kind_of_form(text, options_.allow_empty);
    if (kind == kRight) return {1.0, "", kind};
    return {options_.partial ? 0.125 * single_tags(text) : 0.0, "not <think>…</think> <answer>…</answer>: " + kind, kind};
  }

  FormatOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_format_reward(const RewardOptions& options) {
  return std::make_unique<FormatReward>(read_options<FormatOptions>("format", options));
}

}  // namespace grpo
