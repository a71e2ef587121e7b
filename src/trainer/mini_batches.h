#pragma once

#include <cstdint>
#include <filesystem>

#include "grpo/algorithm/batch.h"
#include "grpo/dist/communicator.h"
#include "grpo/objective/config.h"
#include "grpo/objective/objective.h"

namespace grpo {

class ConfigVisitor;

/// The optimiser steps that a rollout still has to give: its batch, cut into steps_per_generation parts of whole examples, passed over
/// num_iterations times, each part dealt to the ranks in consecutive shares. A checkpoint keeps what is left of it.
class MiniBatches {
 public:
  MiniBatches(const AlgorithmSection& config, Communicator& communicator);

  /// Begins with a prepared batch, all ranks' and not empty, of which so many consecutive sequences are an example.
  void begin(Batch batch, int64_t sequences_per_example, const RolloutInfo& rollout);
  bool empty() const { return done_ == steps_; }
  const RolloutInfo& rollout() const { return rollout_; }
  /// This rank's share of the next step's sequences; it may have none.
  Batch share() const;
  /// Ends a step.
  void advance();
  /// Gives up what is left.
  void clear();

  /// Numbers, and the batch as rollout.safetensors in a checkpoint's folder if something is left of it. Loading follows the numbers.
  void describe_state(ConfigVisitor& visitor);
  void save(const std::filesystem::path& folder) const;
  void load(const std::filesystem::path& folder);

 private:
  Communicator& communicator_;
  int64_t most_parts_, passes_;
  Batch batch_;
  RolloutInfo rollout_;
  int64_t sequences_per_example_ = 1, parts_ = 0;
  int64_t steps_ = 0, done_ = 0;  // parts · passes, and how many of them were trained on
};

}  // namespace grpo
