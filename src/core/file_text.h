#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace grpo {

/// Throws a usage error that begins with `[where]` and names the path if nothing is there.
void expect_exists(const std::filesystem::path& path, std::string_view where);

/// The bytes of a file. Throws an Error that begins with `[where]` and names the file if it cannot be read.
std::string file_text(const std::filesystem::path& path, std::string_view where);

}  // namespace grpo
