#include "scheduler.h"

#include <algorithm>
#include <numeric>

#include "grpo/core/error.h"

namespace grpo {

namespace {

Rollout begin_rollout(const GeneratePlan& plan, const Prompt& prompt, int64_t group, int64_t sample) {
  Rollout rollout;
  rollout.problem = prompt.problem < 0 ? group : prompt.problem;
  rollout.group = group;
  rollout.sample = sample;
  rollout.prompt_ids = prompt.ids;
  rollout.finish = FinishReason::kCancelled;  // until it ends otherwise
  rollout.weights_version = plan.weights_version;
  if (const auto& earlier = prompt.continuation) {
    rollout.sample = earlier->sample;
    rollout.ids = earlier->ids;
    rollout.logprobs = earlier->logprobs;
    rollout.processed_logprobs = earlier->processed_logprobs;
    rollout.weights_version = earlier->weights_version;
  }
  return rollout;
}

// The token at one of a sample's own positions, which begin at the prompt's last.
int32_t own_token(const Rollout& rollout, int64_t entry) {
  return entry == 0 ? rollout.prompt_ids.back() : rollout.ids[static_cast<size_t>(entry - 1)];
}

}  // namespace

Scheduler::Scheduler(const GeneratePlan& plan, DecodeBackend& backend) : plan_(plan), backend_(backend), pool_(plan.pages, 2 * plan.slots) {
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
    if (context.interrupted && context.interrupted()) break;
    admit();
    make_room();
    build_step();
    backend_.step({.rows = rows_, .draws = draws_, .stop_ids = plan_.stop_ids, .sequences = pool_.sequences(), .steps = steps_},
                  plan_.params, drawn_);
    take_tokens();
    if (context.on_progress) context.on_progress(tokens_, finished_);
  }
  return std::move(rollouts_);
}

void Scheduler::admit() {
  for (size_t s = 0; s < slots_.size() && !queue_.empty(); ++s) {
    if (slots_[s].rollout >= 0) continue;
    const int64_t number = queue_.front();
    if (!has_room_for(number) && !(close_idle_groups() && has_room_for(number))) return;
    queue_.pop_front();
    const int64_t group = rollouts_[static_cast<size_t>(number)].group;
    join_group(group);
    open_slot(slots_[s], number);
    pool_.go_on_after(static_cast<int32_t>(s), groups_[static_cast<size_t>(group)].prefix, prefix_length(group));
  }
}

// Positions of its own that a sample has in the cache after a call.
int64_t Scheduler::entries_after_call(const Rollout& rollout) const {
  const auto length = static_cast<int64_t>(rollout.ids.size()), left = plan_.call_limit(prompt_of(rollout.group)) - length;
  return length + std::min(backend_.steps(), left);
}

// Every live sample that needs more pages may take one more before another sample is admitted. A sample alone has room always.
bool Scheduler::has_room_for(int64_t number) const {
  const Rollout& rollout = rollouts_[static_cast<size_t>(number)];
  const int64_t prefix = prefix_length(rollout.group);
  const bool opens = prefix > 0 && group_of(rollout).prefix < 0;
  if (opens && free_prefixes_.empty()) return false;
  int64_t pages = pages_for(entries_after_call(rollout)) + (opens ? pages_for(prefix) : 0);
  for (size_t s = 0; s < slots_.size(); ++s) {
    if (slots_[s].rollout < 0) continue;
    const auto held = static_cast<int64_t>(pool_.sequences()[s].pages.size());
    if (held < pages_for(plan_.call_limit(prompt_of(rollout_of(slots_[s]).group)))) ++pages;
  }
  return pages <= pool_.free_pages();
}

// One more of its samples is live; the first has the prompt computed.
void Scheduler::join_group(int64_t number) {
  Group& group = groups_[static_cast<size_t>(number)];
  ++group.live;
  if (group.prefix >= 0 || prefix_length(number) == 0) return;
  group.prefix = free_prefixes_.back();
  free_prefixes_.pop_back();
  pool_.release(group.prefix);
  pool_.grow(group.prefix, prefix_length(number));
  prefilling_.push_back(number);
}

// What ends a sample has seen its earlier tokens.
void Scheduler::open_slot(Slot& slot, int64_t number) {
  const Rollout& rollout = rollouts_[static_cast<size_t>(number)];
  slot.rollout = number;
  slot.admission = admissions_++;
  slot.stopping = begin_stopping(plan_, rollout);
}

// Pages for what the next call writes. The oldest sample finds them always: all others may have to leave.
void Scheduler::make_room() {
  for (size_t s = 0; s < slots_.size(); ++s) {
    while (slots_[s].rollout >= 0 && !pool_.grow(static_cast<int32_t>(s), entries_after_call(rollout_of(slots_[s])))) {
      if (!close_idle_groups()) preempt();
    }
  }
}

// The youngest sample leaves its slot and is the next to take one.
void Scheduler::preempt() {
  Slot& youngest = *std::max_element(slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) {
    return a.rollout < 0 ? b.rollout >= 0 : b.rollout >= 0 && a.admission < b.admission;
  });
  queue_.push_front(youngest.rollout);
  vacate(youngest);
}

// Frees prefixes that no live sample uses; they are computed again. Whether there were any.
bool Scheduler::close_idle_groups() {
  bool closed = false;
  for (Group& group : groups_) {
    if (group.live > 0 || group.prefix < 0) continue;
    close_group(group);
    closed = true;
  }
  return closed;
}

void Scheduler::close_group(Group& group) {
  if (group.prefix < 0) return;
  pool_.release(group.prefix);
  free_prefixes_.push_back(group.prefix);
  group.prefix = -1;
  group.prefilled = 0;
  std::erase(prefilling_, &group - groups_.data());
}

void Scheduler::build_step() {
  prefill_rows_.clear();
  fill_prefixes();
  fill_slots();

  rows_.clear();
  draws_.clear();
  drawing_slots_.clear();
  for (size_t s = 0; s < slots_.size(); ++s) {
    if (slots_[s].rollout < 0) continue;
    const Rollout& rollout = rollout_of(slots_[s]);
    const auto done = static_cast<int64_t>(rollout.ids.size());
    if (!has_prefix(rollout) || slots_[s].cached < done) continue;
    const RolloutKey& key = plan_.key_of(prompt_of(rollout.group));
    rows_.push_back({own_token(rollout, done), static_cast<int32_t>(s), prefix_length(rollout.group) + done});
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

void Scheduler::fill_prefixes() {
  const auto room = static_cast<size_t>(plan_.prefill_tokens);
  while (!prefilling_.empty() && prefill_rows_.size() < room) {
    Group& group = groups_[static_cast<size_t>(prefilling_.front())];
    const std::vector<int32_t>& ids = prompt_of(prefilling_.front()).ids;
    const int64_t length = prefix_length(prefilling_.front());
    for (; group.prefilled < length && prefill_rows_.size() < room; ++group.prefilled) {
      prefill_rows_.push_back({ids[static_cast<size_t>(group.prefilled)], group.prefix, group.prefilled});
    }
    if (group.prefilled == length) prefilling_.pop_front();
  }
}

// What samples had before they took their slots.
void Scheduler::fill_slots() {
  const auto room = static_cast<size_t>(plan_.prefill_tokens);
  for (size_t s = 0; s < slots_.size(); ++s) {
    Slot& slot = slots_[s];
    if (slot.rollout < 0 || !has_prefix(rollout_of(slot))) continue;
    const Rollout& rollout = rollout_of(slot);
    for (; slot.cached < static_cast<int64_t>(rollout.ids.size()) && prefill_rows_.size() < room; ++slot.cached) {
      prefill_rows_.push_back({own_token(rollout, slot.cached), static_cast<int32_t>(s), prefix_length(rollout.group) + slot.cached});
    }
  }
}

// Several steps where no prompt waits for one of its own. A slot whose sample ends among them is filled again after the last.
int64_t Scheduler::choose_steps() const {
  if (!prefill_rows_.empty() || !prefilling_.empty()) return 1;
  int64_t longest = 1;
  for (const DecodeDraw& draw : draws_) longest = std::max<int64_t>(longest, draw.remaining);
  return std::min(backend_.steps(), longest);
}

void Scheduler::take_tokens() {
  for (size_t i = 0; i < drawn_.size(); ++i) {
    const int32_t slot = drawing_slots_[i % draws_.size()];
    if (slots_[static_cast<size_t>(slot)].rollout >= 0) take_token(slot, drawn_[i]);  // else its sample has ended in this call
  }
}

void Scheduler::take_token(int32_t number, const DrawnToken& token) {
  Slot& slot = slots_[static_cast<size_t>(number)];
  Rollout& rollout = rollout_of(slot);
  GRPO_CHECK(token.id >= 0, "RolloutEngine::generate",
             "expected finite logits; got NaN or infinity for problem " + std::to_string(rollout.problem) + ", sample " +
                 std::to_string(rollout.sample) + ", token " + std::to_string(rollout.ids.size()));
  rollout.ids.push_back(token.id);
  rollout.logprobs.push_back(token.logprob);
  rollout.processed_logprobs.push_back(token.processed_logprob);
  ++slot.cached;
  ++tokens_;
  if (plan_.context.on_token) {
    plan_.context.on_token({rollout.group, rollout.sample, static_cast<int64_t>(rollout.ids.size()) - 1, token.id, token.logprob});
  }
  if (const auto reason = finish_of(plan_, prompt_of(rollout.group), rollout, slot.stopping)) {
    rollout.finish = *reason;
    finish(slot);
  }
}

void Scheduler::finish(Slot& slot) {
  Group& group = group_of(rollout_of(slot));
  vacate(slot);
  if (--group.unfinished == 0) close_group(group);
  ++finished_;
}

void Scheduler::vacate(Slot& slot) {
  --group_of(rollout_of(slot)).live;
  pool_.release(static_cast<int32_t>(&slot - slots_.data()));
  slot = {};
}

}  // namespace grpo
