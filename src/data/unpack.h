#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace grpo {

enum class Packing { kNone, kGzip, kZstd };

/// By the ending: .gz, .zst, anything else.
Packing packing_of(const std::filesystem::path& file);

/// The bytes that `packed` holds, of at most `most` bytes. Several members or frames in a row are one text. Throws an `Error` naming
/// `file` and the line that was reached where the bytes are cut off, damaged, no such format or more than that.
std::string unpack(std::string_view packed, Packing packing, const std::string& file, size_t most);

}  // namespace grpo
