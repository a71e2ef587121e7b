#include "scheduler.h"

#include <algorithm>
#include <numeric>

#include "grpo/core/error.h"

namespace grpo {

namespace {

constexpr float kCertain = -0.01005034F;  // log 0.99 (MiniMax-M1, arXiv 2506.13585, 3.1.3)

Rollout begin_rollout(const GeneratePlan& plan, const Prompt& prompt, int64_t group, int64_t sample) {
  Rollout rollout;
  rollout.problem = prompt.problem;
  rollout.group = group;
  rollout.sample = sample;
  rollout.prompt_ids = prompt.ids;
  rollout.policy_version = plan.policy_version;
  if (const auto& earlier = prompt.continuation) {
    rollout.sample = earlier->sample;
    rollout.ids = earlier->ids;
    rollout.logprobs = earlier->logprobs;
    rollout.processed_logprobs = earlier->processed_logprobs;
    rollout.policy_version = earlier->policy_version;
  }
  return rollout;
}

// Of the prompt and what its completion has already.
int32_t token_at(const Prompt& prompt, int64_t position) {
  const int64_t own = position - static_cast<int64_t>(prompt.ids.size());
  return own < 0 ? prompt.ids[static_cast<size_t>(position)] : prompt.continuation->ids[static_cast<size_t>(own)];
}

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
  return std::min(params.max_completion_length, max_length - static_cast<int64_t>(prompt.ids.size()));
}

int64_t GeneratePlan::call_limit(const Prompt& prompt) const {
  const int64_t limit = completion_limit(prompt);
  return context.max_new_tokens > 0 ? std::min(limit, earlier_tokens(prompt) + context.max_new_tokens) : limit;
}

Scheduler::Scheduler(const GeneratePlan& plan, DecodeBackend& backend) : plan_(plan), backend_(backend) {
  for (const Prompt& prompt : plan.prompts) {
    const auto group = static_cast<int64_t>(groups_.size());
    groups_.push_back({.first = static_cast<int64_t>(rollouts_.size()), .unfinished = plan.samples_of(prompt)});
    for (int64_t sample = 0; sample < plan.samples_of(prompt); ++sample) rollouts_.push_back(begin_rollout(plan, prompt, group, sample));
  }
  queue_samples();
  slots_.resize(static_cast<size_t>(plan.slots));
  for (int64_t s = 2 * plan.slots; s-- > plan.slots;) free_prefixes_.push_back(static_cast<int32_t>(s));
  rows_.reserve(static_cast<size_t>(plan.slots + plan.prefill_tokens));
  draws_.reserve(slots_.size());
}

void Scheduler::queue_samples() {
  std::vector<int64_t> order(groups_.size());
  std::iota(order.begin(), order.end(), 0);
  if (const auto& expected = plan_.context.expected_length) {
    std::vector<double> lengths;
    for (const int64_t group : order) lengths.push_back(expected(group));
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  }
  for (const int64_t group : order) {
    const Group& queued = groups_[static_cast<size_t>(group)];
    for (int64_t sample = 0; sample < queued.unfinished; ++sample) queue_.push_back(queued.first + sample);
  }
}

std::vector<Rollout> Scheduler::run() {
  const GenerateContext& context = plan_.context;
  while (finished_ < static_cast<int64_t>(rollouts_.size())) {
    if (context.interrupted && context.interrupted()) fail("RolloutEngine::generate", "interrupted");
    admit();
    build_step();
    backend_.step({.rows = rows_, .draws = draws_, .stop_ids = plan_.stop_ids, .steps = steps_}, plan_.params, drawn_);
    take_tokens();
    if (context.on_progress) context.on_progress(tokens_, finished_);
  }
  return std::move(rollouts_);
}

void Scheduler::admit() {
  for (size_t s = 0; s < slots_.size() && next_ < queue_.size(); ++s) {
    if (slots_[s].rollout >= 0) continue;
    const int64_t number = queue_[next_++], group = rollouts_[static_cast<size_t>(number)].group;
    if (number == groups_[static_cast<size_t>(group)].first) open_group(group);
    open_slot(slots_[s], number);
    backend_.bind(static_cast<int32_t>(s), groups_[static_cast<size_t>(group)].prefix, prefix_length(group));
  }
}

// What ends a sample has seen its earlier tokens.
void Scheduler::open_slot(Slot& slot, int64_t number) const {
  const Rollout& rollout = rollouts_[static_cast<size_t>(number)];
  slot.rollout = number;
  for (const float logprob : rollout.logprobs) slot.certain = logprob > kCertain ? slot.certain + 1 : 0;
  if (plan_.params.stop.empty()) return;
  slot.stop.emplace(*plan_.context.tokenizer, plan_.params.stop);
  for (const int32_t id : rollout.ids) slot.stop->push(id);
}

void Scheduler::open_group(int64_t group) {
  if (prefix_length(group) == 0) return;
  Group& opened = groups_[static_cast<size_t>(group)];
  // Every unfinished group has a sample in a slot, and there are as many prefixes as slots: one is free.
  opened.prefix = free_prefixes_.back();
  free_prefixes_.pop_back();
  backend_.bind(opened.prefix);
  prefilling_.push_back(group);
}

void Scheduler::build_step() {
  prefill_rows_.clear();
  auto room = static_cast<size_t>(plan_.prefill_tokens);
  while (!prefilling_.empty() && prefill_rows_.size() < room) {
    Group& group = groups_[static_cast<size_t>(prefilling_.front())];
    const Prompt& prompt = prompt_of(prefilling_.front());
    const int64_t length = prefix_length(prefilling_.front());
    for (; group.prefilled < length && prefill_rows_.size() < room; ++group.prefilled) {
      prefill_rows_.push_back({token_at(prompt, group.prefilled), group.prefix, group.prefilled});
    }
    if (group.prefilled == length) prefilling_.pop_front();
  }

  rows_.clear();
  draws_.clear();
  drawing_slots_.clear();
  for (size_t s = 0; s < slots_.size(); ++s) {
    if (slots_[s].rollout < 0) continue;
    const Rollout& rollout = rollouts_[static_cast<size_t>(slots_[s].rollout)];
    if (groups_[static_cast<size_t>(rollout.group)].prefilled < prefix_length(rollout.group)) continue;
    const auto done = static_cast<int64_t>(rollout.ids.size()), before = static_cast<int64_t>(rollout.prompt_ids.size()) - 1;
    const RolloutKey& key = plan_.key_of(prompt_of(rollout.group));
    rows_.push_back({done == 0 ? rollout.prompt_ids.back() : rollout.ids.back(), static_cast<int32_t>(s), before + done});
    draws_.push_back({.key = {key.seed, key.step, static_cast<uint64_t>(rollout.problem), static_cast<uint32_t>(rollout.sample)},
                      .position = static_cast<uint32_t>(done),
                      .remaining = static_cast<int32_t>(plan_.call_limit(prompt_of(rollout.group)) - done),
                      .prompt = rollout.prompt_ids,
                      .output = rollout.ids});
    drawing_slots_.push_back(static_cast<int32_t>(s));
  }
  rows_.insert(rows_.end(), prefill_rows_.begin(), prefill_rows_.end());
  steps_ = choose_steps();
  drawn_.resize(draws_.size() * static_cast<size_t>(steps_));
}

// Several steps where no prompt waits for one of its own. A slot whose sample ends among them is filled again after the last.
int64_t Scheduler::choose_steps() const {
  if (!prefill_rows_.empty() || !prefilling_.empty()) return 1;
  int64_t longest = 1;
  for (const DecodeDraw& draw : draws_) longest = std::max<int64_t>(longest, draw.remaining);
  return std::min(backend_.traits().steps, longest);
}

void Scheduler::take_tokens() {
  for (size_t i = 0; i < drawn_.size(); ++i) {
    const int32_t slot = drawing_slots_[i % draws_.size()];
    if (slots_[static_cast<size_t>(slot)].rollout >= 0) take_token(slot, drawn_[i]);  // else its sample has ended in this call
  }
}

void Scheduler::take_token(int32_t number, const DrawnToken& token) {
  Slot& slot = slots_[static_cast<size_t>(number)];
  Rollout& rollout = rollouts_[static_cast<size_t>(slot.rollout)];
  GRPO_CHECK(token.id >= 0, "RolloutEngine::generate",
             "expected finite logits; got NaN or infinity for problem " + std::to_string(rollout.problem) + ", sample " +
                 std::to_string(rollout.sample) + ", token " + std::to_string(rollout.ids.size()));
  rollout.ids.push_back(token.id);
  rollout.logprobs.push_back(token.logprob);
  rollout.processed_logprobs.push_back(token.processed_logprob);
  ++tokens_;
  if (plan_.context.on_token) {
    plan_.context.on_token({rollout.group, rollout.sample, static_cast<int64_t>(rollout.ids.size()) - 1, token.id, token.logprob});
  }
  if (const auto finish = finish_of(slot, rollout)) {
    rollout.finish = *finish;
    close(slot);
  }
}

std::optional<FinishReason> Scheduler::finish_of(Slot& slot, const Rollout& rollout) const {
  const Prompt& prompt = prompt_of(rollout.group);
  const auto length = static_cast<int64_t>(rollout.ids.size());
  if (std::binary_search(plan_.stop_ids.begin(), plan_.stop_ids.end(), rollout.ids.back())) return FinishReason::kStop;
  if (slot.stop && slot.stop->push(rollout.ids.back())) return FinishReason::kStopString;
  if (length >= plan_.completion_limit(prompt)) return FinishReason::kLength;
  slot.certain = rollout.logprobs.back() > kCertain ? slot.certain + 1 : 0;
  if (plan_.params.repetition_guard > 0 && slot.certain >= plan_.params.repetition_guard) return FinishReason::kLength;
  if (length >= plan_.call_limit(prompt)) return FinishReason::kPaused;
  return std::nullopt;
}

void Scheduler::close(Slot& slot) {
  Group& group = groups_[static_cast<size_t>(rollouts_[static_cast<size_t>(slot.rollout)].group)];
  if (--group.unfinished == 0 && group.prefix >= 0) free_prefixes_.push_back(group.prefix);
  slot.rollout = -1;
  slot.certain = 0;
  slot.stop.reset();
  ++finished_;
}

}  // namespace grpo
