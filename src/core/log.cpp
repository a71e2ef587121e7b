#include "grpo/core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>

namespace grpo {
namespace {

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

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

}  // namespace

void set_log_level(LogLevel level) { logger().set_level(spdlog_level(level)); }

void log_info(const std::string& message) { logger().info(message); }
void log_warn(const std::string& message) { logger().warn(message); }
void log_always(const std::string& message) {
  const auto level = logger().level();
  if (level > spdlog::level::warn) logger().set_level(spdlog::level::warn);
  logger().warn(message);
  logger().set_level(level);
}

}  // namespace grpo
