#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "grpo/dist/communicator.h"
#include "grpo/policy/experience.h"
#include "grpo/policy/policy.h"
#include "grpo/rollout/config.h"
#include "policy/gather.h"

namespace grpo {

/// What a policy trainer samples. With a partial_rollout_length a sample that has not ended after so many tokens of a call waits for the
/// next one, which goes on with it under newer weights, and its group with it (partial rollouts: Kimi k1.5, arXiv 2501.12599, 2.6.2). What
/// waits is the same on all ranks.
class GroupSampler {
 public:
  /// Keeps references to all of them. `prompts` are those of `problems`.
  GroupSampler(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems,
               const std::vector<Policy::EncodedPrompt>& prompts, const RolloutSection& config, Communicator& communicator);

  /// Begins a group of each of `items` and goes on with those that wait, until a group is finished; `step` is the number of optimiser steps
  /// that the weights have seen. Gives this rank's share of the finished groups, without texts; those that waited come first.
  Experience sample(const std::vector<int64_t>& items, const RolloutKey& key, double temperature, int64_t step);

  /// Drops waiting groups that began before that step; gives their number.
  int64_t drop_older(int64_t step);
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  /// Tokens of the completions that wait.
  double waiting_tokens() const { return count_tokens(waiting_); }

  /// What waits becomes what it was when `mark` was called.
  void mark() { marked_ = waiting_; }
  void roll_back() { waiting_ = marked_; }

  /// The waiting groups in a file, and back. Reading throws if the file does not hold whole groups of this data and group size.
  void save(const std::filesystem::path& file) const;
  void load(const std::filesystem::path& file);

 private:
  /// A prompt for the engine with the place of its group among those that wait.
  using Asked = std::vector<std::pair<int64_t, Prompt>>;

  void begin(const std::vector<int64_t>& items, const RolloutKey& key);
  Asked paused_samples() const;
  Asked new_groups() const;
  /// One call of the engine for this rank's share of either kind.
  std::vector<PlacedSample> advance(const SamplingParams& params, const RolloutKey& key, int64_t step);
  void put_back(std::vector<PlacedSample> samples);
  Experience take_finished();
  void note_lengths(const Experience& groups);

  const Policy& policy_;
  RolloutEngine& engine_;
  const std::vector<Problem>& problems_;
  const std::vector<Policy::EncodedPrompt>& prompts_;
  const RolloutSection& config_;
  Communicator& communicator_;
  Experience waiting_, marked_;
  std::map<int64_t, double> lengths_;  // of an item's completions when they were last sampled: long ones begin first
};

}  // namespace grpo
