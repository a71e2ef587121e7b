#pragma once

#include <string>

#include "report/run.h"

namespace grpo::report {

/// The row of figures under the title: each evaluated metric before and after, or the training's where nothing was evaluated, then
/// steps, time and tokens.
std::string headline(const Run& run);

}  // namespace grpo::report
