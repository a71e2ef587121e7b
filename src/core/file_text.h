#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace grpo {

/// The bytes of a file. Throws an Error that begins with `[where]` and names the file if it cannot be read.
std::string file_text(const std::filesystem::path& path, std::string_view where);

}  // namespace grpo
