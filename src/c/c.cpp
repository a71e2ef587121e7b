#include "grpo/c.h"

#include <algorithm>

#include "c/guard.h"
#include "grpo/cli/main.h"
#include "grpo/core/error.h"
#include "grpo/version.h"

namespace grpo::c {
namespace {

std::string& last_error() {
  thread_local std::string text;
  return text;
}

}  // namespace

int keep_caught() {
  try {
    rethrow_as_error("grpo");
  } catch (const Error& error) {
    last_error() = error.what();
    switch (error.kind()) {
      case ErrorKind::kFailure:
        return GRPO_FAILURE;
      case ErrorKind::kUsage:
        return GRPO_USAGE;
      case ErrorKind::kInterrupted:
        return GRPO_INTERRUPTED;
    }
  }
  return GRPO_FAILURE;
}

void expect_given(const void* argument, std::string_view where, std::string_view what) {
  if (argument == nullptr) fail_usage(where, "expected " + std::string(what) + "; got NULL");
}

std::string options_text(const char* options) { return options == nullptr || *options == '\0' ? "{}" : options; }

void give_text(std::string_view text, char* to, size_t capacity, size_t* length) {
  if (length != nullptr) *length = text.size();
  if (to == nullptr || capacity == 0) return;
  const size_t written = std::min(text.size(), capacity - 1);
  std::copy_n(text.data(), written, to);
  to[written] = '\0';
}

}  // namespace grpo::c

const char* grpo_version(void) { return grpo::version().data(); }

const char* grpo_error(void) { return grpo::c::last_error().c_str(); }

int grpo_main(int argc, char** argv) { return grpo::main(argc, argv, grpo::builtin_registry()); }
