#include "grpo/core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <utility>

#include "core/sink.h"

namespace grpo {
namespace {

std::atomic<LogLevel> least{LogLevel::kInfo};

// Not spdlog's default logger, which belongs to the application; never destroyed, so destructors of statics may log.
spdlog::logger& logger() {
  static spdlog::logger& instance = *[] {
    auto* made = new spdlog::logger("grpo", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    // On a terminal a message first wipes the progress line that stands there.
    const std::string wipe = ::isatty(STDERR_FILENO) == 1 ? "\r\x1b[K" : "";
    made->set_pattern(wipe + "[%H:%M:%S] %^%l%$ %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return instance;
}

using MessageSink = Sink<LogLevel, const std::string&>;
MessageSink& message_sink() {
  static MessageSink& instance = *new MessageSink;
  return instance;
}

void write(LogLevel level, const std::string& message) {
  if (message_sink().call(level, message)) return;
  logger().log(level == LogLevel::kInfo ? spdlog::level::info : spdlog::level::warn, message);
}

void write_if_wanted(LogLevel level, const std::string& message) {
  if (level >= least.load()) write(level, message);
}

}  // namespace

void set_log_level(LogLevel level) { least = level; }
LogLevel log_level() { return least.load(); }
void set_log_sink(LogSink sink) { message_sink().set(std::move(sink)); }

void log_info(const std::string& message) { write_if_wanted(LogLevel::kInfo, message); }
void log_warn(const std::string& message) { write_if_wanted(LogLevel::kWarn, message); }
void log_always(const std::string& message) { write(LogLevel::kWarn, message); }

}  // namespace grpo
