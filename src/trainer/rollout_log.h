#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/tally.h"
#include "grpo/core/metrics.h"
#include "grpo/policy/experience.h"

// What a run tells of a rollout.
namespace grpo {

/// Figures of completion lengths under TRL's names.
Metrics length_metrics(const Experience& experience);

/// How many optimiser steps before `step` the sequences' samples began.
Tallies staleness(const Batch& share, int64_t step);

/// Lines of completions.jsonl for up to `count` samples, spread over the groups; `step` is 1 for the first.
std::vector<std::string> completion_lines(const Experience& experience, const std::vector<std::string>& functions, int64_t step,
                                          int64_t count);

}  // namespace grpo
