#pragma once

#include <string>

#include "report/run.h"

namespace grpo::report {

/// What rewards said, for people who look for a rule that is too strict: verdicts of each function by kind, right answers that could not
/// be read, and rejected answers that look like the right one. Empty where a run has nothing of it.
std::string verdicts_section(const Run& run);

}  // namespace grpo::report
