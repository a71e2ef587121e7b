#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace grpo {

/// XXH3-128 in 32 hexadecimal digits, as `xxh128sum` prints it: notices damage, and is no protection against intent.
std::string hash_of(std::string_view bytes);

/// Of a regular file's content and its size in bytes. The file is read in pieces: nothing of it stays in memory or mapped. Throws `Error`
/// if it cannot be read.
struct FileHash {
  uint64_t size = 0;
  std::string hash;
};
FileHash hash_of_file(const std::filesystem::path& path);

}  // namespace grpo
