#pragma once

#include <string>
#include <vector>

#include "report/run.h"

namespace grpo::report {

struct Warning {
  std::string title;
  std::string explanation;  // one line, for people who did not write the trainer
};

/// Signs that a reinforcement run collapsed; none for a healthy run, for one of a few steps, or for supervised learning.
std::vector<Warning> collapse_warnings(const Run& run);

}  // namespace grpo::report
