#include "stopping.h"

#include <algorithm>

namespace grpo {
namespace {

constexpr float kCertain = -0.01005034F;  // log 0.99 (MiniMax-M1, arXiv 2506.13585, 3.1.3)

}  // namespace

StopStrings::StopStrings(const Tokenizer& tokenizer, const std::vector<std::string>& stop) : decoder_(tokenizer), stop_(&stop) {
  for (const std::string& text : stop) longest_ = std::max(longest_, text.size());
}

bool StopStrings::push(int32_t id) {
  tail_ += decoder_.push(id);
  if (std::any_of(stop_->begin(), stop_->end(), [&](const std::string& text) { return tail_.find(text) != std::string::npos; }))
    return true;
  if (tail_.size() >= longest_) tail_.erase(0, tail_.size() - (longest_ - 1));
  return false;
}

int64_t GeneratePlan::completion_limit(const Prompt& prompt) const {
  const int64_t limit = std::min(params.max_completion_length, max_length - static_cast<int64_t>(prompt.ids.size()));
  return prompt.max_completion_length > 0 ? std::min(limit, prompt.max_completion_length) : limit;
}

int64_t GeneratePlan::call_limit(const Prompt& prompt) const {
  const int64_t limit = completion_limit(prompt);
  return context.max_new_tokens > 0 ? std::min(limit, earlier_tokens(prompt) + context.max_new_tokens) : limit;
}

Stopping begin_stopping(const GeneratePlan& plan, const Rollout& rollout) {
  Stopping stopping;
  for (const float logprob : rollout.logprobs) stopping.certain = logprob > kCertain ? stopping.certain + 1 : 0;
  if (plan.params.stop.empty()) return stopping;
  stopping.strings.emplace(*plan.context.tokenizer, plan.params.stop);
  for (const int32_t id : rollout.ids) stopping.strings->push(id);
  return stopping;
}

std::optional<FinishReason> finish_of(const GeneratePlan& plan, const Prompt& prompt, const Rollout& rollout, Stopping& stopping) {
  const auto length = static_cast<int64_t>(rollout.ids.size());
  if (std::binary_search(plan.stop_ids.begin(), plan.stop_ids.end(), rollout.ids.back())) return FinishReason::kStop;
  if (stopping.strings && stopping.strings->push(rollout.ids.back())) return FinishReason::kStopString;
  if (length >= plan.completion_limit(prompt)) return FinishReason::kLength;
  stopping.certain = rollout.logprobs.back() > kCertain ? stopping.certain + 1 : 0;
  if (plan.params.repetition_guard > 0 && stopping.certain >= plan.params.repetition_guard) return FinishReason::kLength;
  if (length >= plan.call_limit(prompt)) return FinishReason::kPaused;
  return std::nullopt;
}

}  // namespace grpo
