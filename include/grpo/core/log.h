#pragma once

#include <string>

#include "grpo/api.h"

namespace GRPO_API grpo {

enum class LogLevel { kInfo, kWarn, kOff };

/// Messages below `level` are dropped. Initially kInfo.
void set_log_level(LogLevel level);

/// One line to stderr, with the time of day and the level; any thread.
void log_info(const std::string& message);
void log_warn(const std::string& message);
/// A warning whatever the level, for what only one process of several can say.
void log_always(const std::string& message);

}  // namespace grpo
