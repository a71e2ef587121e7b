#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// A whole regular file mapped read-only. Pages are read on first use; renaming or unlinking the file leaves the mapping valid, but cutting
/// it short while it is mapped is undefined (the system sends SIGBUS), so files are replaced through AtomicFile, never rewritten in place.
class MappedFile {
 public:
  /// Throws `Error` if `path` is missing, unreadable, not a regular file, or empty.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  /// Valid, and at the same address, until the last owner of the mapping is destroyed: moving keeps it.
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// Gives the memory of a part of a MappedFile back: the system reads its pages anew if they are used again.
void release_pages(std::span<const std::byte> part);

}  // namespace grpo
