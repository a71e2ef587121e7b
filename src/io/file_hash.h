#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace grpo {

/// XXH3-128 in 32 hexadecimal digits, as `xxh128sum` prints it: notices damage, and is no protection against intent.
std::string hash_of(std::string_view bytes);

/// What a file holds, in short.
struct FileHash {
  uint64_t size = 0;  // bytes
  std::string hash;   // as of hash_of
};

/// Reads a regular file in pieces, so that nothing of it stays in memory or mapped. Throws `Error` if it cannot be read.
FileHash hash_of_file(const std::filesystem::path& path);

}  // namespace grpo
