#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace grpo::c {

/// Keeps what is being handled for grpo_error(), and gives its status.
int keep_caught();
/// An argument that must be given.
void expect_given(const void* argument, std::string_view where, std::string_view what);
/// Options of the caller's; an empty object for none.
std::string options_text(const char* options);
/// Writes text as c.h says.
void give_text(std::string_view text, char* to, size_t capacity, size_t* length);

/// Does it; nothing that it throws reaches the caller.
template <class Action>
int guarded(Action&& action) {
  try {
    std::forward<Action>(action)();
    return 0;
  } catch (...) {
    return keep_caught();
  }
}

}  // namespace grpo::c
