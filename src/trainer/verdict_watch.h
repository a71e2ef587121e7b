#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grpo/data/types.h"

namespace grpo {

/// What the rewards said of everything that a rollout sampled, dropped groups included.
struct VerdictCounts {
  int64_t samples = 0, verdicts = 0;  // with a reward that is defined
  int64_t varied = 0;                 // with rewards that differ
  std::vector<int64_t> undefined;     // by function: samples without a verdict
};

/// Notices a run that cannot learn: whose rewards give no verdict, or the same for all samples of each problem.
class VerdictWatch {
 public:
  /// `compares`: advantages compare the samples of a group.
  VerdictWatch(std::vector<std::string> functions, bool compares) : functions_(std::move(functions)), compares_(compares) {}

  /// Throws if not one sample of a run's first rollout has a verdict: nothing can be learnt then. Later it warns once after several
  /// rollouts without any verdict, or without rewards that differ.
  void look(const VerdictCounts& counts, bool first, const std::vector<Problem>& problems);

 private:
  std::vector<std::string> functions_;
  bool compares_;
  int64_t silent_ = 0, equal_ = 0;  // rollouts in a row
};

}  // namespace grpo
