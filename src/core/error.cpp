#include "grpo/core/error.h"

#include <exception>
#include <new>

namespace grpo {
namespace {

/// LibTorch's exceptions end with where they were raised and some thirty stack frames.
std::string_view without_backtrace(std::string_view text) {
  text = text.substr(0, text.find("\nException raised from "));
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

std::string located(std::string_view where, std::string_view message) {
  std::string text;
  text.reserve(where.size() + message.size() + 3);
  return text.append("[").append(where).append("] ").append(message);
}

}  // namespace

void fail(std::string_view where, std::string_view message) { throw Error(located(where, message), ErrorKind::kFailure); }

void fail_usage(std::string_view where, std::string_view message) { throw Error(located(where, message), ErrorKind::kUsage); }

void fail_interrupted(std::string_view where, std::string_view message) { throw Error(located(where, message), ErrorKind::kInterrupted); }

std::string caught_text() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return "expected memory for what is asked; the system has no more";
  } catch (const std::exception& error) {
    return std::string(without_backtrace(error.what()));
  } catch (...) {
    return "an exception that is no std::exception was thrown";
  }
}

void rethrow_as_error(std::string_view where) {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (...) {
    fail(where, caught_text());
  }
}

}  // namespace grpo
