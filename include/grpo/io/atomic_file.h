#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// A file that appears under its name whole or not at all: bytes go to `PATH.tmp.PID.N` beside it; `commit` syncs and renames.
/// Every member throws `Error`, with the system's reason (no space left, permission denied, …); without a commit nothing is left behind.
class AtomicFile {
 public:
  /// The folder must exist; `path` must be absent or a regular file (a device or a folder is never replaced).
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Syncs and closes the temporary file. Several files can so be made ready before the first is renamed; `commit` calls it if needed.
  void finish();
  /// Renames to the final name and syncs the folder. Nothing may be called afterwards.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty once committed or moved from
  int descriptor_ = -1;
};

/// While one lives, AtomicFiles of its thread reach their names without being synced: whoever made it syncs the files and their folder
/// before it relies on them. For folders of many files that appear as one.
class DeferredSync {
 public:
  DeferredSync();
  ~DeferredSync();
  DeferredSync(const DeferredSync&) = delete;
  DeferredSync& operator=(const DeferredSync&) = delete;
};

/// Waits until a file's bytes, or a folder's names, are on the disk. Throws `Error`.
void sync_to_disk(const std::filesystem::path& path);

/// Writes `text` to `path` through an AtomicFile.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// An append-only log. Each append is one write to the system (other readers never see half of it, short of a crash), not buffered here.
class AppendFile {
 public:
  /// Opens `path`, creating it if absent. `keep_bytes` (resume) drops everything after that offset; throws if the file is shorter.
  explicit AppendFile(std::filesystem::path path, std::optional<uint64_t> keep_bytes = std::nullopt);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();

  /// Appends `bytes` as they are. On failure the file is cut back to its earlier size, then `Error` is thrown.
  void append(std::string_view bytes);
  /// Appends `line` and a line feed; `line` must not hold one.
  void append_line(std::string_view line);
  /// Waits until everything appended is on the disk.
  void sync();
  /// Bytes in the file: what a checkpoint stores and hands back as `keep_bytes`.
  uint64_t size() const { return size_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

}  // namespace grpo
