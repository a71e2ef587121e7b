#pragma once

#include <functional>
#include <string>

#include "grpo/core/error.h"

namespace grpo::testing {

/// What the Error says that an action throws; "no error" if it throws none.
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace grpo::testing
