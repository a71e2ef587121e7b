#include "grpo/core/error.h"

namespace grpo {
namespace {

std::string located(std::string_view where, std::string_view message) {
  std::string text;
  text.reserve(where.size() + message.size() + 3);
  return text.append("[").append(where).append("] ").append(message);
}

}  // namespace

void fail(std::string_view where, std::string_view message) { throw Error(located(where, message), ErrorKind::kFailure); }

void fail_usage(std::string_view where, std::string_view message) { throw Error(located(where, message), ErrorKind::kUsage); }

void fail_interrupted(std::string_view where, std::string_view message) { throw Error(located(where, message), ErrorKind::kInterrupted); }

}  // namespace grpo
