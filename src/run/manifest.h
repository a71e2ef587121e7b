#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/file_hash.h"

namespace grpo {

/// What a checkpoint folder held when it was complete. It stands in the folder as checkpoint.json, written after everything else; the file
/// holds a hash of itself too, and any other bytes than those that were written count as damage.
struct Manifest {
  int64_t step = 0;
  std::string date;                       // UTC, ISO 8601
  std::map<std::string, FileHash> files;  // by path within the folder; checkpoint.json is not among them
};

/// Hashes every file of `folder` and writes its checkpoint.json, dated now. Throws where something other than files and folders is there.
void write_manifest(const std::filesystem::path& folder, int64_t step);

/// What a checkpoint folder is like now.
struct CheckpointState {
  std::optional<Manifest> manifest;  // where it is whole itself
  bool recorded = false;             // whether there is a checkpoint.json; earlier versions wrote none
  uint64_t bytes = 0;                // of all files that are there
  std::vector<std::string> faults;   // none: every file is what it was
  bool whole() const { return faults.empty(); }
};

/// Reads and hashes all of it. Damage is told, not thrown.
CheckpointState inspect_checkpoint(const std::filesystem::path& folder);

/// Bytes of all files in a folder; 0 if there is none.
uint64_t bytes_in(const std::filesystem::path& folder);

}  // namespace grpo
