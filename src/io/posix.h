#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace grpo::posix {

/// Throws `Error`: `[where] expected to <action> <path>; got <the system's text for errno>`. Reads errno first.
[[noreturn]] void fail_errno(std::string_view where, std::string_view action, const std::filesystem::path& path);

/// open(2) with O_CLOEXEC, retried when interrupted. -1 on failure.
int open_file(const std::filesystem::path& path, int flags);

/// This machine's name; "localhost" if it has none.
std::string host_name();

}  // namespace grpo::posix
