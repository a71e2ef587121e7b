#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// What kind of mistake an `Error` reports; `grpo::main` turns it into the exit status.
enum class ErrorKind {
  kFailure,      // the operation failed: exit status 1
  kUsage,        // a bad command line or configuration: exit status 2
  kInterrupted,  // stopped by a signal; can be continued: exit status 75
};

/// The library's only exception type. Messages read `[where] expected …; got …`.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorKind kind = ErrorKind::kFailure) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws `Error("[where] message")`.
[[noreturn]] void fail(std::string_view where, std::string_view message);

/// Throws a usage error (exit status 2): a bad command line or configuration.
[[noreturn]] void fail_usage(std::string_view where, std::string_view message);

/// Throws the error of work that a signal cut short (exit status 75); it can be continued.
[[noreturn]] void fail_interrupted(std::string_view where, std::string_view message);

/// To be called in a catch block: what was caught in words, without the backtrace that LibTorch appends.
std::string caught_text();

/// To be called in a catch block: throws what was caught as an `Error`. An `Error` stays as it is. Of any other exception `caught_text`
/// follows `where`.
[[noreturn]] void rethrow_as_error(std::string_view where);

}  // namespace grpo

/// Throws `grpo::Error` with `message` (anything convertible to std::string_view, built only on failure) unless `condition` holds.
#define GRPO_CHECK(condition, where, message) \
  do {                                        \
    if (!(condition)) {                       \
      ::grpo::fail((where), (message));       \
    }                                         \
  } while (false)
