#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "backend.h"
#include "pages.h"
#include "plan.h"
#include "stopping.h"

namespace grpo {

/// Continuous batching. Samples take slots group by group, longest expected first, in the prompts' order where nothing is expected. A
/// group's prompt, but for its last token, is computed into a sequence of its own, the prefix of all its samples; each sample then feeds
/// the last prompt token itself, so that every token it draws follows a row of its own. Tokens that a sample had before it took its slot
/// are computed as prompts are. Where the pool of pages is used up, the youngest sample leaves its slot, to go on later. Sequences
/// 0 … slots-1 are the samples', slots … 2 slots-1 the prefixes'.
class Scheduler {
 public:
  Scheduler(const GeneratePlan& plan, DecodeBackend& backend);
  std::vector<Rollout> run();

 private:
  struct Group {
    int64_t first = 0;       // of its rollouts
    int64_t unfinished = 0;  // samples
    int64_t live = 0;        // samples in slots
    int32_t prefix = -1;     // its sequence; -1 = none now, or a prompt of one token
    int64_t prefilled = 0;   // prompt tokens that are in the prefix or in the step at hand
  };
  struct Slot {
    int64_t rollout = -1;   // -1 = free
    int64_t admission = 0;  // how many samples took slots before it
    int64_t cached = 0;     // positions of its own that are in the cache or in the step at hand
    Stopping stopping;
  };

  void queue_samples();
  void admit();
  bool has_room_for(int64_t rollout) const;
  void join_group(int64_t group);
  void open_slot(Slot& slot, int64_t rollout);
  void make_room();
  void preempt();
  bool close_idle_groups();
  void build_step();
  void fill_prefixes();
  void fill_slots();
  int64_t choose_steps() const;
  void take_tokens();
  void take_token(int32_t slot, const DrawnToken& token);
  void finish(Slot& slot);
  void vacate(Slot& slot);
  void close_group(Group& group);
  const Prompt& prompt_of(int64_t group) const { return plan_.prompts[static_cast<size_t>(group)]; }
  int64_t prefix_length(int64_t group) const { return static_cast<int64_t>(prompt_of(group).ids.size()) - 1; }
  Rollout& rollout_of(const Slot& slot) { return rollouts_[static_cast<size_t>(slot.rollout)]; }
  const Rollout& rollout_of(const Slot& slot) const { return rollouts_[static_cast<size_t>(slot.rollout)]; }
  Group& group_of(const Rollout& rollout) { return groups_[static_cast<size_t>(rollout.group)]; }
  const Group& group_of(const Rollout& rollout) const { return groups_[static_cast<size_t>(rollout.group)]; }
  bool has_prefix(const Rollout& rollout) const { return group_of(rollout).prefilled == prefix_length(rollout.group); }
  int64_t entries_after_call(const Rollout& rollout) const;

  const GeneratePlan& plan_;
  DecodeBackend& backend_;
  std::vector<Rollout> rollouts_;
  std::vector<Group> groups_;
  std::deque<int64_t> queue_;  // rollouts, as they take slots
  std::vector<Slot> slots_;
  PagePool pool_;
  std::vector<int32_t> free_prefixes_;
  std::deque<int64_t> prefilling_;  // groups
  int64_t admissions_ = 0, tokens_ = 0, finished_ = 0;
  // The step at hand.
  std::vector<DecodeRow> rows_, prefill_rows_;
  std::vector<DecodeDraw> draws_;
  std::vector<int32_t> drawing_slots_;
  int64_t steps_ = 1;
  std::vector<DrawnToken> drawn_;  // [steps_, draws_]
};

}  // namespace grpo
