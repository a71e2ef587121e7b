#pragma once

#include <string>

#include "report/run.h"

namespace grpo::report {

/// The early and the late completions side by side, as HTML; empty where none were logged.
std::string samples_section(const Run& run);

}  // namespace grpo::report
