#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grpo/core/metrics.h"
#include "grpo/core/threads.h"
#include "grpo/policy/experience.h"
#include "grpo/trainer/config.h"
#include "trainer/group_sampler.h"
#include "trainer/problem_picker.h"
#include "trainer/verdict_log.h"
#include "trainer/verdict_watch.h"

namespace grpo {

/// Gets the samples of a rollout: picks problems, samples, scores, and drops groups that teach nothing and samples others where the config
/// says so.
class Collector {
 public:
  /// Keeps references to all of them. `prompts` are those of `problems`; `greedy`: greedy completions are scored too.
  Collector(const Config& config, const Policy& policy, const std::vector<Problem>& problems,
            const std::vector<Policy::EncodedPrompt>& prompts, RewardSet rewards, DataOrder& order, Communicator& communicator,
            bool greedy);

  struct Collected {
    Experience experience;  // of all ranks, what is trained on
    Metrics metrics;        // tokens/generated among them, dropped ones included
  };
  /// The rollout of optimiser step `step` (0 = first). Every rank calls it.
  Collected collect(int64_t step, double temperature);

  const std::vector<std::string>& reward_names() const { return rewards_.names; }
  /// What the run tells of verdicts, and of data whose right answers cannot be read.
  const VerdictLog& verdicts() const { return verdicts_; }
  void look_at(const std::string& data, const std::vector<Problem>& problems);
  /// Frees the sampler's memory until it is needed again.
  void release() { engine_.release(); }

  /// Everything but the data's order becomes what it was when `mark` was called.
  void mark();
  void roll_back();
  /// What a checkpoint keeps, and in files of its own in its folder.
  void describe_state(ConfigVisitor& visitor);
  void save(const std::filesystem::path& folder) const;
  void load(const std::filesystem::path& folder);

 private:
  /// Of the rounds of a rollout.
  struct Sums {
    double tokens = 0.0, generate_seconds = 0.0, reward_seconds = 0.0;
    std::map<std::string, std::pair<double, int64_t>> figures;  // that rewards give
    VerdictCounts counts;
    std::vector<KindTally> kinds;  // by function
  };

  Experience sample_round(const std::vector<int64_t>& items, int64_t step, double temperature, Sums& sums);
  void score_groups(Experience& groups, int64_t step, Sums& sums);
  void add_greedy_rewards(Experience& groups, int64_t step, Sums& sums);
  RewardContext reward_context(int64_t step) const;
  void count_verdicts(const Experience& groups, Sums& sums) const;
  bool worth_training_on(const Group& group) const;
  double pass_rate(const Group& group) const;

  const Config& config_;
  const Policy& policy_;
  const std::vector<Problem>& problems_;
  RewardSet rewards_;
  DataOrder& order_;
  Communicator& communicator_;
  bool greedy_;
  RolloutEngine engine_;
  GroupSampler sampler_;
  ProblemPicker picker_;
  VerdictWatch watch_;
  VerdictLog verdicts_;
  size_t pass_judge_;
  std::optional<size_t> filter_judge_;  // of dynamic sampling; none: the weighted sum
  ThreadPool pool_;
  int64_t rounds_ = 0, marked_rounds_ = 0;  // so far: the random key's step
};

}  // namespace grpo
