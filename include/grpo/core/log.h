#pragma once

#include <functional>
#include <string>

#include "grpo/api.h"

namespace GRPO_API grpo {

enum class LogLevel { kInfo, kWarn, kOff };

/// Messages below `level` are dropped, and with anything but kInfo no progress is drawn. Initially kInfo. Any thread.
void set_log_level(LogLevel level);
LogLevel log_level();

/// Receives a message as it was logged, without time of day.
using LogSink = std::function<void(LogLevel level, const std::string& message)>;

/// Lines go to `sink` instead of stderr; an empty one gives them back to stderr. Any thread. A sink is called on the thread that logs, one
/// call at a time; when this function returns, no other thread is in the earlier sink any more. A sink may log and may set another sink.
/// What it throws is dropped.
void set_log_sink(LogSink sink);

/// One line to stderr, with the time of day and the level; any thread.
void log_info(const std::string& message);
void log_warn(const std::string& message);
/// A warning whatever the level, for what only one process of several can say.
void log_always(const std::string& message);

}  // namespace grpo
