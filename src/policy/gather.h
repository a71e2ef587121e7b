#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grpo/algorithm/tally.h"
#include "grpo/dist/communicator.h"
#include "grpo/policy/experience.h"

// What ranks tell each other beside gradients. Every rank calls these, and every rank gets the same.
namespace grpo {

/// From each rank's groups to those of all ranks, in the order of ranks; `problem` is found by `item`.
void gather(Communicator& communicator, Experience& experience, const std::vector<Problem>& problems);
/// The same for groups whose items are places in a list of problems.
void gather(Communicator& communicator, Experience& experience, const std::vector<const Problem*>& problems);

/// A sample of a group that several ranks sample together.
struct PlacedSample {
  int64_t group = 0, place = 0;
  Sample sample;
};
/// The samples of all ranks, in the order of ranks.
void gather(Communicator& communicator, std::vector<PlacedSample>& samples);

/// Sums and counts by name, of all ranks.
void gather(Communicator& communicator, std::map<std::string, std::pair<double, int64_t>>& sums);

/// Merges the tallies of all ranks.
void gather(Communicator& communicator, Tallies& tallies);

/// All ranks' values, one rank's after the other's. Shape: [any] → [sum of them]; Dtype: float32, on the CPU.
at::Tensor gather(Communicator& communicator, const at::Tensor& values);

}  // namespace grpo
