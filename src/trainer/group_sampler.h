#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "grpo/dist/communicator.h"
#include "grpo/trainer/config.h"
#include "grpo/trainer/policy.h"

namespace grpo {

/// A problem's samples, which began together.
struct SampleGroup {
  int64_t item = 0;               // the problem's place in the data
  RolloutKey key;                 // that they began under
  std::vector<Rollout> rollouts;  // by sample; none: not begun
};

/// Of completions.
double count_tokens(const std::vector<Rollout>& rollouts);

/// What a policy trainer samples. With a partial_rollout_length a sample that has not ended after so many tokens of a call waits for the
/// next one, which goes on with it under newer weights, and its group with it (partial rollouts: Kimi k1.5, arXiv 2501.12599, 2.6.2). What
/// waits is the same on all ranks.
class GroupSampler {
 public:
  /// Keeps references to all of them.
  GroupSampler(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, const Config& config,
               Communicator& communicator);

  /// Begins a group of each of `items` and goes on with those that wait, under weights of that version, until a group is finished. Gives
  /// the finished groups, those that waited first. Where no sample can pause, a rank has the rollouts of its share of the groups alone.
  std::vector<SampleGroup> sample(const std::vector<int64_t>& items, const RolloutKey& key, double temperature, int64_t version);

  /// Drops waiting groups that began before that version; gives their number.
  int64_t drop_older(int64_t version);
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  double waiting_tokens() const;

  /// The waiting groups in a file, and back. Reading throws where it does not hold whole groups of this data and group size.
  void save(const std::filesystem::path& file) const;
  void load(const std::filesystem::path& file);

 private:
  using Asked = std::vector<std::pair<int64_t, Prompt>>;  // each with the place of its group among those that wait

  Asked paused_samples() const;
  Asked new_groups() const;
  std::vector<Rollout> advance(const SamplingParams& params, const RolloutKey& key, int64_t version);
  void put_back(std::vector<Rollout> rollouts);
  std::vector<SampleGroup> take_finished(bool all);
  void note_lengths(const SampleGroup& group);

  const Policy& policy_;
  RolloutEngine& engine_;
  const std::vector<Problem>& problems_;
  const Config& config_;
  Communicator& communicator_;
  std::vector<SampleGroup> waiting_;
  std::map<int64_t, double> lengths_;  // of a problem's completions when they were last sampled: long ones begin first
};

}  // namespace grpo
